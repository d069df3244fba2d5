#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <new>
#include <string>

#include "codec/codec.h"
#include "codec/elements.h"
#include "codec/float_text.h"
#include "codec/half.h"
#include "codec/json_string.h"
#include "codec/npy.h"

namespace sconce::codec {
namespace {

using Leaves = std::vector<TensorView>;

// The most bytes one element of each dtype can take, its comma included.
constexpr std::array<std::size_t, 10> kElementText = {6, 4, 5, 7, 12, 21, 25, 25, 25, 33};

template <typename T>
T Load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

char* PutText(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

template <typename F>
char* PutSpecial(F value, char* out) {
  if (std::isnan(value)) return PutText("\"NaN\"", out);
  return PutText(value > 0 ? "\"Infinity\"" : "\"-Infinity\"", out);
}

char* PutFloat(float value, char* out) {
  return std::isfinite(value) ? WriteFloat(value, out) : PutSpecial(value, out);
}

template <typename T>
char* PutInteger(const std::byte* at, char* out) {
  return std::to_chars(out, out + 21, Load<T>(at)).ptr;
}

template <typename Put>
char* PutRun(const std::byte* at, std::int64_t count, std::size_t size, char* out, Put put) {
  for (std::int64_t i = 0; i < count; ++i, at += size) {
    if (i > 0) *out++ = ',';
    out = put(at, out);
  }
  return out;
}

// `count` elements separated by commas; `out` has room for kElementText each.
char* PutElements(DType dtype, const std::byte* at, std::int64_t count, char* out) {
  const std::size_t size = ByteSize(dtype);
  switch (dtype) {
    case DType::kFloat32:
      return PutRun(at, count, size, out, [](const std::byte* p, char* o) { return PutFloat(Load<float>(p), o); });
    case DType::kFloat64:
      return PutRun(at, count, size, out, [](const std::byte* p, char* o) {
        const auto v = Load<double>(p);
        return std::isfinite(v) ? WriteDouble(v, o) : PutSpecial(v, o);
      });
    case DType::kFloat16:
      return PutRun(at, count, size, out,
                    [](const std::byte* p, char* o) { return PutFloat(HalfToFloat(Load<std::uint16_t>(p)), o); });
    case DType::kBFloat16:
      return PutRun(at, count, size, out,
                    [](const std::byte* p, char* o) { return PutFloat(BFloat16ToFloat(Load<std::uint16_t>(p)), o); });
    case DType::kBool:
      return PutRun(at, count, size, out,
                    [](const std::byte* p, char* o) { return PutText(*p != std::byte{0} ? "true" : "false", o); });
    case DType::kUint8:
      return PutRun(at, count, size, out, PutInteger<std::uint8_t>);
    case DType::kInt8:
      return PutRun(at, count, size, out, PutInteger<std::int8_t>);
    case DType::kInt16:
      return PutRun(at, count, size, out, PutInteger<std::int16_t>);
    case DType::kInt32:
      return PutRun(at, count, size, out, PutInteger<std::int32_t>);
    case DType::kInt64:
      return PutRun(at, count, size, out, PutInteger<std::int64_t>);
  }
  return out;
}

class JsonWriter {
 public:
  explicit JsonWriter(Buffer& out) : out_(out) {}

  void Text(std::string_view text) { out_.Append(text.data(), text.size()); }

  void Node(const OutputNode& node, const Leaves& leaves) {
    switch (node.kind) {
      case OutputNode::Kind::kTensor:
        return Leaf(node, leaves[static_cast<std::size_t>(node.leaf)]);
      case OutputNode::Kind::kNone:
        return Text("null");
      case OutputNode::Kind::kList:
        return Children(node, leaves, '[', ']');
      case OutputNode::Kind::kDict:
        return Children(node, leaves, '{', '}');
    }
  }

 private:
  void Char(char c) { out_.Append(&c, 1); }

  void Children(const OutputNode& node, const Leaves& leaves, char open, char close) {
    Char(open);
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      if (i > 0) Char(',');
      if (open == '{') {
        WriteString(node.keys[i], out_);
        Char(':');
      }
      Node(node.children[i], leaves);
    }
    Char(close);
  }

  void Leaf(const OutputNode& node, const TensorView& view) {
    if (node.leaf_kind == LeafKind::kText) return WriteString(TextOf(view), out_);
    at_ = view.data;
    Dimension(view, 0);
  }

  void Elements(const TensorView& view, std::int64_t count) {
    AppendElements(view.dtype, at_, count, out_);
    at_ += static_cast<std::size_t>(count) * ByteSize(view.dtype);
  }

  void Dimension(const TensorView& view, int level) {
    if (level == view.shape.size()) return Elements(view, 1);
    const std::int64_t count = view.shape[level];
    Char('[');
    if (level + 1 == view.shape.size()) {
      Elements(view, count);
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        if (i > 0) Char(',');
        Dimension(view, level + 1);
      }
    }
    Char(']');
  }

  Buffer& out_;
  const std::byte* at_ = nullptr;
};

void EncodeJson(const OutputNode& layout, std::span<const Leaves> rows, bool instances, std::string_view field,
                Buffer& out) {
  JsonWriter writer(out);
  if (!instances) return writer.Node(layout, rows[0]);
  writer.Text("{\"");
  writer.Text(field);
  writer.Text("\":[");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) writer.Text(",");
    writer.Node(layout, rows[i]);
  }
  writer.Text("]}");
}

// .npy and raw hold one tensor: rows of several samples must agree in dtype and shape.
Status CheckBinary(const OutputNode& layout, std::span<const Leaves> rows) {
  if (layout.kind != OutputNode::Kind::kTensor) {
    return {Code::kNotAcceptable, "the model has several outputs or none, which only application/json can hold"};
  }
  if (layout.leaf_kind == LeafKind::kText) {
    return {Code::kNotAcceptable, "the model's output is text, which only application/json can hold"};
  }
  const auto leaf = static_cast<std::size_t>(layout.leaf);
  for (const Leaves& row : rows) {
    if (row[leaf].dtype != rows[0][leaf].dtype || !(row[leaf].shape == rows[0][leaf].shape)) {
      return {Code::kNotAcceptable, "the samples' outputs differ in shape, which only application/json can hold"};
    }
  }
  return Status::Ok();
}

Status EncodeBinary(OutputFormat format, const OutputNode& layout, std::span<const Leaves> rows, bool instances,
                    Buffer& out) {
  if (Status s = CheckBinary(layout, rows); !s.ok()) return s;
  const auto leaf = static_cast<std::size_t>(layout.leaf);
  if (format == OutputFormat::kNpy) {
    Shape shape;
    if (instances) shape.push_back(static_cast<std::int64_t>(rows.size()));
    for (const std::int64_t dim : rows[0][leaf].shape.dims()) {
      if (!shape.push_back(dim)) return {Code::kNotAcceptable, "the output has too many dimensions for .npy"};
    }
    if (Status s = WriteNpyHeader(rows[0][leaf].dtype, shape, out); !s.ok()) return s;
  }
  for (const Leaves& row : rows) out.Append(row[leaf].data, row[leaf].bytes);
  return Status::Ok();
}

}  // namespace

// The room for one run of elements is made at once, so that the inner loop only writes.
void AppendElements(DType dtype, const std::byte* at, std::int64_t count, Buffer& out) {
  const std::size_t room = static_cast<std::size_t>(count) * kElementText[static_cast<std::size_t>(dtype)] + 2;
  const std::size_t used = out.size();
  if (out.capacity() - used < room) out.Reserve(std::max(used + room, out.capacity() * 2));
  char* begin = reinterpret_cast<char*>(out.data() + used);
  char* end = PutElements(dtype, at, count, begin);
  out.Resize(used + static_cast<std::size_t>(end - begin));
}

Status Encode(OutputFormat format, const OutputNode& layout, std::span<const std::vector<TensorView>> rows,
              bool instances, Buffer& out, std::string_view field) {
  out.Clear();
  if (rows.empty()) return {Code::kInternal, "nothing to encode"};
  try {
    switch (format) {
      case OutputFormat::kJson:
        EncodeJson(layout, rows, instances, field, out);
        return Status::Ok();
      case OutputFormat::kNpy:
      case OutputFormat::kRaw:
        return EncodeBinary(format, layout, rows, instances, out);
      case OutputFormat::kTensors:
      case OutputFormat::kV2:
        break;
    }
  } catch (const std::bad_alloc&) {
    return {Code::kOutOfMemory, "memory ran out while the answer was written"};
  }
  return {Code::kInternal, "this format has an encoder of its own"};
}

void EncodeTensors(std::span<const std::vector<TensorView>> rows, Buffer& out, std::vector<LeafInfo>& leaves) {
  out.Clear();
  leaves.clear();
  for (const Leaves& row : rows) {
    for (const TensorView& view : row) {
      const std::size_t offset = (out.size() + Buffer::kAlign - 1) / Buffer::kAlign * Buffer::kAlign;
      constexpr std::array<std::byte, Buffer::kAlign> kPadding{};
      out.Append(kPadding.data(), offset - out.size());
      out.Append(view.data, view.bytes);
      leaves.push_back({view.dtype, view.shape, offset, view.bytes, {}});
    }
  }
}

}  // namespace sconce::codec
