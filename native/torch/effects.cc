#include "torch/effects.h"

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace sconce::torch_engine {
namespace {

using torch::jit::AliasDb;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
using Ops = std::unordered_set<std::string_view>;

std::string_view KindOf(const Node& node) { return node.kind().toQualString(); }

// Its schema says so ("(a!)", as of aten::relu_, aten::append and the out= forms), or its name where it has none.
bool WritesInPlace(const Node& node) {
  if (const c10::FunctionSchema* schema = node.maybeSchema()) return schema->is_mutable();
  const std::string_view op = KindOf(node);
  return op.starts_with("aten::") && op.ends_with("_") && !op.ends_with("__");
}

bool Differentiates(const Node& node) {
  static const Ops kOps = {"aten::grad", "aten::backward", "aten::requires_grad_"};
  return kOps.contains(KindOf(node));
}

// Tensors, lists, dicts and what holds them. Of a submodule its own attributes are looked at.
bool MayBeWritten(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
    case c10::TypeKind::ListType:
    case c10::TypeKind::DictType:
    case c10::TypeKind::TupleType:
    case c10::TypeKind::OptionalType:
      return true;
    default:
      return false;
  }
}

// An attribute of the module, or what was taken out of a list or dict that is one, is written to. What is only computed
// from it, as by a convolution from its optional bias, may be.
bool WritesAttribute(const AliasDb& aliases, Node& node) {
  if (node.kind() != c10::prim::GetAttr || !MayBeWritten(*node.output()->type())) return false;
  Value* const attribute = node.output();
  if (aliases.hasWriters(attribute)) return true;
  if (attribute->type()->isSubtypeOf(*c10::TensorType::get())) return false;
  return std::ranges::any_of(attribute->uses(), [&](const torch::jit::Use& use) {
    return std::ranges::any_of(use.user->outputs(), [&](Value* taken) {
      return aliases.hasWriters(taken) && aliases.mayContainAlias(attribute, taken);
    });
  });
}

// An attribute of something that outlives the call. Objects that forward() makes, such as torch.autocast's, begin by
// being filled.
bool SetsAttribute(const Node& node) {
  return node.kind() == c10::prim::SetAttr && node.input(0)->node()->kind() != c10::prim::CreateObject;
}

// Served models are in eval mode: what only training would do (batch normalisation writes its averages) is no effect.
void SetEvalMode(Graph& graph, Block& block) {
  for (Node* node : block.nodes()) {
    for (Block* inner : node->blocks()) SetEvalMode(graph, *inner);
    if (node->kind() != c10::prim::GetAttr || node->s(c10::attr::name) != "training") continue;
    if (node->output()->type()->kind() != c10::TypeKind::BoolType) continue;
    const torch::jit::WithInsertPoint here(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(false));
  }
}

void Collect(const AliasDb& aliases, Block& block, Effects& effects) {
  for (Node* node : block.nodes()) {
    if (SetsAttribute(*node) || WritesAttribute(aliases, *node)) effects.keeps_state = true;
    if (WritesInPlace(*node)) effects.in_place = true;
    if (Differentiates(*node)) effects.differentiates = true;
    for (Block* inner : node->blocks()) Collect(aliases, *inner, effects);
  }
}

// Follows the inputs' numbers through the graph, and sizes that depend on them, until one decides what is computed.
class ValueReader {
 public:
  explicit ValueReader(const Graph& graph) {
    for (std::size_t i = 1; i < graph.inputs().size(); ++i) marks_[graph.inputs()[i]] = kNumbers;  // 0 is self
    for (changed_ = true; changed_ && !decides_;) {  // loops carry marks around
      changed_ = false;
      Visit(*graph.block());
    }
  }

  bool decides() const { return decides_; }

 private:
  using Mark = unsigned;
  static constexpr Mark kNumbers = 1;  // the elements are the inputs', or made from them
  static constexpr Mark kSize = 2;     // the size depends on such elements
  static constexpr Mark kScalar = 4;   // a number of Python's that was one of those elements

  Mark Of(const Value* value) const {
    const auto found = marks_.find(value);
    return found == marks_.end() ? 0 : found->second;
  }

  template <typename Values>
  Mark OfAll(const Values& values) const {
    Mark mark = 0;
    for (const Value* value : values) mark |= Of(value);
    return mark;
  }

  void Set(const Value* value, Mark mark) {
    Mark& old = marks_[value];
    changed_ = changed_ || (old | mark) != old;
    old |= mark;
  }

  static bool IsScalar(const c10::TypePtr& type) {
    if (const auto list = type->cast<c10::ListType>()) return IsScalar(list->getElementType());
    if (const auto optional = type->cast<c10::OptionalType>()) return IsScalar(optional->getElementType());
    return type->isSubtypeOf(*c10::NumberType::get()) || type->kind() == c10::TypeKind::BoolType;
  }

  // Gives elements of a tensor to Python's code.
  static bool TakesNumbers(const Node& node) {
    static const Ops kOps = {"aten::item",
                             "aten::Bool",
                             "aten::Int",
                             "aten::Float",
                             "aten::Complex",
                             "aten::ScalarImplicit",
                             "aten::IntImplicit",
                             "aten::FloatImplicit",
                             "aten::ComplexImplicit",
                             "aten::is_nonzero",
                             "aten::equal",
                             "aten::allclose",
                             "prim::tolist",
                             "aten::tolist",
                             "aten::_local_scalar_dense",
                             "aten::_nested_tensor_from_mask_left_aligned"};
    return kOps.contains(KindOf(node));
  }

  static bool SizedByNumbers(const Node& node) {
    static const Ops kOps = {"aten::nonzero",    "aten::nonzero_numpy",      "aten::argwhere", "aten::masked_select",
                             "aten::unique_dim", "aten::unique_consecutive", "aten::_unique",  "aten::_unique2",
                             "aten::bincount",   "torchvision::nms"};
    return kOps.contains(KindOf(node));
  }

  // x[mask]: as many elements as the mask has that are true.
  static bool IndexesByMask(const Node& node) {
    static const Ops kMasks = {"aten::gt",          "aten::ge",         "aten::lt",          "aten::le",
                               "aten::eq",          "aten::ne",         "aten::logical_and", "aten::logical_or",
                               "aten::logical_not", "aten::isnan",      "aten::isfinite",    "aten::__and__",
                               "aten::__or__",      "aten::bitwise_not"};
    if (node.kind() != c10::aten::index || node.inputs().size() < 2) return false;
    const Node* list = node.input(1)->node();
    return std::ranges::any_of(list->inputs(),
                               [](const Value* each) { return kMasks.contains(KindOf(*each->node())); });
  }

  // A check that only raises changes no answer: what fails in a batch is run again alone.
  static bool OnlyRaises(const Block& block) {
    return std::ranges::any_of(block.nodes(),
                               [](const Node* node) { return node->kind() == c10::prim::RaiseException; });
  }

  void Visit(const Block& block) {
    for (const Node* node : block.nodes()) {
      if (node->kind() == c10::prim::If) {
        VisitIf(*node);
      } else if (node->kind() == c10::prim::Loop) {
        VisitLoop(*node);
      } else {
        VisitOp(*node);
      }
    }
  }

  void VisitIf(const Node& node) {
    const Block& yes = *node.blocks()[0];
    const Block& no = *node.blocks()[1];
    const Mark decider = Of(node.input(0)) & kScalar;
    if (decider != 0 && !OnlyRaises(yes) && !OnlyRaises(no)) decides_ = true;
    Visit(yes);
    Visit(no);
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      Set(node.outputs()[i], Of(yes.outputs()[i]) | Of(no.outputs()[i]));
    }
  }

  // Inputs: trip count, condition, what is carried. The body's: the trip, what is carried; its outputs start with the
  // condition.
  void VisitLoop(const Node& node) {
    const Block& body = *node.blocks()[0];
    for (std::size_t i = 2; i < node.inputs().size(); ++i) Set(body.inputs()[i - 1], Of(node.input(i)));
    Visit(body);
    const Mark decider = Of(node.input(0)) | Of(node.input(1)) | Of(body.outputs()[0]);
    if ((decider & kScalar) != 0) decides_ = true;
    for (std::size_t i = 1; i < body.outputs().size(); ++i) {
      Set(body.inputs()[i], Of(body.outputs()[i]));
      Set(node.outputs()[i - 1], Of(body.outputs()[i]) | Of(node.input(i + 1)));
    }
  }

  void VisitOp(const Node& node) {
    const Mark given = OfAll(node.inputs());
    if (given == 0) return;
    Mark tensors = given & (kNumbers | kSize);
    if (SizedByNumbers(node) || (IndexesByMask(node) && (given & kNumbers) != 0)) tensors |= kSize;
    Mark scalars = given & kScalar;
    if ((given & kSize) != 0 || (TakesNumbers(node) && (given & kNumbers) != 0)) scalars |= kScalar;
    for (const Value* output : node.outputs()) {
      if (IsScalar(output->type())) {
        Set(output, scalars);
      } else {
        // A tensor that a number of Python's went into: as a factor, a bound, a size.
        if ((given & kScalar) != 0 && output->type()->isSubtypeOf(*c10::TensorType::get())) decides_ = true;
        Set(output, tensors | (given & kScalar));
      }
    }
    for (const Block* inner : node.blocks()) Visit(*inner);
  }

  std::unordered_map<const Value*, Mark> marks_;
  bool changed_ = false;
  bool decides_ = false;
};

}  // namespace

Effects ReadEffects(const torch::jit::Module& module) {
  std::shared_ptr<Graph> graph = module.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  SetEvalMode(*graph, *graph->block());
  // Takes branches away that are never run. Of the variants of this pass, the one that makes no tensors.
  torch::jit::ConstantPropagationImmutableTypes(graph);
  Effects effects;
  // "Frozen": each attribute is taken for an object of its own, not for whatever else has its type, such as an input.
  Collect(AliasDb(graph, /*isFrozen=*/true), *graph->block(), effects);
  effects.reads_values = ValueReader(*graph).decides();
  return effects;
}

}  // namespace sconce::torch_engine
