#include "torch/outputs.h"

#include <ATen/Functions.h>
#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>

#include <cstring>
#include <optional>
#include <utility>

namespace sconce::torch_engine {
namespace {

using Kind = OutputNode::Kind;

constexpr int kMaxDepth = 32;

std::string KeyText(const c10::IValue& key) {
  if (key.isString()) return key.toStringRef();
  if (key.isInt()) return std::to_string(key.toInt());
  if (key.isBool()) return key.toBool() ? "true" : "false";
  return {};
}

std::string IndexPath(const std::string& path, std::size_t i) {
  std::string text = path;
  if (text.empty()) return text.append(std::to_string(i));
  return text.append("[").append(std::to_string(i)).append("]");
}

std::string FieldPath(const std::string& path, const std::string& key) {
  std::string text = path;
  if (!text.empty()) text.append(".");
  return text.append(key);
}

// Field names of a NamedTuple; nothing for a plain tuple.
std::vector<std::string> FieldNames(const c10::ivalue::Tuple& tuple) {
  std::vector<std::string> names;
  if (const auto& schema = tuple.type()->schema()) {
    for (const c10::Argument& field : schema->arguments()) names.push_back(field.name());
  }
  return names;
}

at::Tensor TextTensor(const std::string& text) {
  at::Tensor bytes = at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
  if (!text.empty()) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  return bytes;
}

struct Leaf {
  LeafKind kind = LeafKind::kTensor;
  at::Tensor tensor;
};

// Python's float is double, its int is int64 in TorchScript.
std::optional<Leaf> ReadLeaf(const c10::IValue& value) {
  if (value.isTensor()) return Leaf{LeafKind::kTensor, value.toTensor()};
  if (value.isInt()) return Leaf{LeafKind::kNumber, at::scalar_tensor(value.toInt(), at::kLong)};
  if (value.isDouble()) return Leaf{LeafKind::kNumber, at::scalar_tensor(value.toDouble(), at::kDouble)};
  if (value.isBool()) return Leaf{LeafKind::kNumber, at::scalar_tensor(value.toBool(), at::kBool)};
  if (value.isString()) return Leaf{LeafKind::kText, TextTensor(value.toStringRef())};
  return std::nullopt;
}

// A compiled package gives an undefined tensor for None.
bool IsNone(const c10::IValue& value) { return value.isNone() || (value.isTensor() && !value.toTensor().defined()); }

class Walk {
 public:
  explicit Walk(std::vector<at::Tensor>& leaves) : leaves_(leaves) {}

  Status Node(const c10::IValue& value, const std::string& path, int depth, OutputNode& node) {
    if (depth > kMaxDepth) return Bad(path, "is nested deeper than " + std::to_string(kMaxDepth));
    if (IsNone(value)) {
      node.kind = Kind::kNone;
      return Status::Ok();
    }
    if (std::optional<Leaf> leaf = ReadLeaf(value)) return Keep(std::move(*leaf), node);
    if (value.isTuple()) return Tuple(value, path, depth, node);
    if (value.isList()) return List(value, path, depth, node);
    if (value.isGenericDict()) return Dict(value, path, depth, node);
    return Bad(path, "is a " + value.tagKind() + ", which has no wire form");
  }

 private:
  static Status Bad(const std::string& path, const std::string& what) {
    const std::string name = path.empty() ? "output" : "output '" + path + "'";
    return {Code::kBadOutput, "the model's " + name + " " + what};
  }

  Status Keep(Leaf leaf, OutputNode& node) {
    node.kind = Kind::kTensor;
    node.leaf = static_cast<int>(leaves_.size());
    node.leaf_kind = leaf.kind;
    leaves_.push_back(std::move(leaf.tensor));
    return Status::Ok();
  }

  Status Child(const c10::IValue& value, const std::string& path, int depth, OutputNode& node) {
    node.children.emplace_back();
    return Node(value, path, depth + 1, node.children.back());
  }

  Status Tuple(const c10::IValue& value, const std::string& path, int depth, OutputNode& node) {
    const auto& tuple = value.toTupleRef();
    node.keys = FieldNames(tuple);
    node.kind = node.keys.empty() ? Kind::kList : Kind::kDict;
    for (std::size_t i = 0; i < tuple.elements().size(); ++i) {
      const std::string name = node.keys.empty() ? IndexPath(path, i) : FieldPath(path, node.keys[i]);
      if (Status status = Child(tuple.elements()[i], name, depth, node); !status.ok()) return status;
    }
    return Status::Ok();
  }

  Status List(const c10::IValue& value, const std::string& path, int depth, OutputNode& node) {
    node.kind = Kind::kList;
    const auto list = value.toListRef();
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (Status status = Child(list[i], IndexPath(path, i), depth, node); !status.ok()) return status;
    }
    return Status::Ok();
  }

  Status Dict(const c10::IValue& value, const std::string& path, int depth, OutputNode& node) {
    node.kind = Kind::kDict;
    for (const auto& entry : value.toGenericDict()) {
      if (!entry.key().isString() && !entry.key().isInt() && !entry.key().isBool()) {
        return Bad(path, "has keys of type " + entry.key().tagKind() + "; only str, int and bool can be names");
      }
      node.keys.push_back(KeyText(entry.key()));
      const std::string name = FieldPath(path, node.keys.back());
      if (Status status = Child(entry.value(), name, depth, node); !status.ok()) return status;
    }
    return Status::Ok();
  }

  std::vector<at::Tensor>& leaves_;
};

Status NameElements(const std::vector<std::string>& names, OutputNode& layout) {
  if (names.empty() || layout.kind != Kind::kList) return Status::Ok();
  if (names.size() != layout.children.size()) {
    return {Code::kBadOutput, "the model returned " + std::to_string(layout.children.size()) +
                                  " outputs, but its configuration names " + std::to_string(names.size()) +
                                  " (sconce.outputs)"};
  }
  layout.kind = Kind::kDict;
  layout.keys = names;
  return Status::Ok();
}

bool DictLike(const c10::IValue& value, const OutputNode& layout, std::vector<at::Tensor>& leaves) {
  const auto dict = value.toGenericDict();
  if (dict.size() != layout.children.size()) return false;
  std::size_t i = 0;
  for (const auto& entry : dict) {
    const bool same =
        entry.key().isString() ? entry.key().toStringRef() == layout.keys[i] : KeyText(entry.key()) == layout.keys[i];
    if (!same || !FlattenLike(entry.value(), layout.children[i], leaves)) return false;
    ++i;
  }
  return true;
}

void AddKinds(const OutputNode& node, std::vector<LeafKind>& kinds) {
  if (node.kind == Kind::kTensor) kinds.push_back(node.leaf_kind);
  for (const OutputNode& child : node.children) AddKinds(child, kinds);
}

bool FindLeaf(const OutputNode& node, int leaf, std::string& path) {
  if (node.kind == Kind::kTensor) return node.leaf == leaf;
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const std::string parent = path;
    path = node.kind == Kind::kDict ? FieldPath(parent, node.keys[i]) : IndexPath(parent, i);
    if (FindLeaf(node.children[i], leaf, path)) return true;
    path = parent;
  }
  return false;
}

}  // namespace

Status Flatten(const c10::IValue& value, const std::vector<std::string>& names, OutputNode& layout,
               std::vector<at::Tensor>& leaves) {
  layout = OutputNode{};
  leaves.clear();
  if (Status status = Walk(leaves).Node(value, "", 0, layout); !status.ok()) return status;
  return NameElements(names, layout);
}

bool FlattenLike(const c10::IValue& value, const OutputNode& layout, std::vector<at::Tensor>& leaves) {
  if (IsNone(value)) return layout.kind == Kind::kNone;
  if (layout.kind == Kind::kTensor) {
    std::optional<Leaf> leaf = ReadLeaf(value);
    if (!leaf || leaf->kind != layout.leaf_kind) return false;
    leaves.push_back(std::move(leaf->tensor));
    return true;
  }
  if (value.isGenericDict()) return layout.kind == Kind::kDict && DictLike(value, layout, leaves);
  if (layout.kind == Kind::kNone || (!value.isTuple() && !value.isList())) return false;
  const c10::ArrayRef<c10::IValue> elements =
      value.isTuple() ? value.toTupleRef().elements().asArrayRef() : value.toListRef();
  if (elements.size() != layout.children.size()) return false;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (!FlattenLike(elements[i], layout.children[i], leaves)) return false;
  }
  return true;
}

std::vector<LeafKind> LeafKinds(const OutputNode& layout) {
  std::vector<LeafKind> kinds;
  AddKinds(layout, kinds);
  return kinds;
}

std::string LeafName(const OutputNode& layout, int leaf) {
  std::string path;
  FindLeaf(layout, leaf, path);
  return path.empty() ? "output" : "output '" + path + "'";
}

}  // namespace sconce::torch_engine
