#include "core/tensor.h"

#include <algorithm>
#include <limits>

namespace sconce {

namespace {

struct DTypeRow {
  DType dtype;
  std::size_t bytes;
  const char* name;
};

constexpr std::array<DTypeRow, 10> kDTypes = {{
    {DType::kBool, 1, "bool"},
    {DType::kUint8, 1, "uint8"},
    {DType::kInt8, 1, "int8"},
    {DType::kInt16, 2, "int16"},
    {DType::kInt32, 4, "int32"},
    {DType::kInt64, 8, "int64"},
    {DType::kFloat16, 2, "float16"},
    {DType::kBFloat16, 2, "bfloat16"},
    {DType::kFloat32, 4, "float32"},
    {DType::kFloat64, 8, "float64"},
}};

struct Alias {
  std::string_view name;  // lower case
  DType dtype;
};

// PyTorch's short words, NumPy's and the KServe protocol's (which writes them in capitals).
constexpr std::array<Alias, 17> kAliases = {{
    {"boolean", DType::kBool},
    {"byte", DType::kUint8},
    {"char", DType::kInt8},
    {"short", DType::kInt16},
    {"int", DType::kInt32},
    {"long", DType::kInt64},
    {"half", DType::kFloat16},
    {"fp16", DType::kFloat16},
    {"bf16", DType::kBFloat16},
    {"float", DType::kFloat32},
    {"fp32", DType::kFloat32},
    {"single", DType::kFloat32},
    {"double", DType::kFloat64},
    {"fp64", DType::kFloat64},
    {"f16", DType::kFloat16},
    {"f32", DType::kFloat32},
    {"f64", DType::kFloat64},
}};

constexpr std::string_view kTorchPrefix = "torch.";
constexpr std::size_t kLongestName = 24;

std::string Lower(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

std::size_t ByteSize(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].bytes; }

const char* DTypeName(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].name; }

std::optional<DType> ParseDType(std::string_view name) {
  if (name.size() > kLongestName) return std::nullopt;
  const std::string lower = Lower(name);
  std::string_view word = lower;
  if (word.starts_with(kTorchPrefix)) word.remove_prefix(kTorchPrefix.size());
  for (const DTypeRow& row : kDTypes) {
    if (word == row.name) return row.dtype;
  }
  for (const Alias& alias : kAliases) {
    if (word == alias.name) return alias.dtype;
  }
  return std::nullopt;
}

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(dims(), other.dims()); }

bool Shape::IsStatic() const {
  return std::ranges::none_of(dims(), [](std::int64_t dim) { return dim < 0; });
}

bool Shape::Matches(const Shape& declared) const {
  return std::ranges::equal(dims(), declared.dims(),
                            [](std::int64_t dim, std::int64_t want) { return want == -1 || dim == want; });
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (int i = 0; i < size_; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string((*this)[i]);
  }
  return text + "]";
}

std::optional<std::int64_t> ElementCount(const Shape& shape) {
  std::int64_t count = 1;
  bool overflow = false;
  bool zero = false;
  for (const std::int64_t dim : shape.dims()) {
    if (dim < 0) return std::nullopt;
    zero = zero || dim == 0;
    overflow = overflow || __builtin_mul_overflow(count, dim, &count);
    if (overflow) count = 1;
  }
  if (zero) return 0;  // whatever the others are
  return overflow ? std::nullopt : std::optional(count);
}

std::optional<std::size_t> TensorBytes(const Shape& shape, DType dtype) {
  const std::optional<std::int64_t> count = ElementCount(shape);
  if (!count) return std::nullopt;
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(*count, static_cast<std::int64_t>(ByteSize(dtype)), &bytes)) return std::nullopt;
  return static_cast<std::size_t>(bytes);
}

}  // namespace sconce
