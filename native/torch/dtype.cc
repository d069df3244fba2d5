#include "torch/dtype.h"

#include <array>
#include <utility>

namespace sconce::torch_engine {
namespace {

constexpr std::array<std::pair<DType, c10::ScalarType>, 10> kTable = {{
    {DType::kBool, c10::ScalarType::Bool},
    {DType::kUint8, c10::ScalarType::Byte},
    {DType::kInt8, c10::ScalarType::Char},
    {DType::kInt16, c10::ScalarType::Short},
    {DType::kInt32, c10::ScalarType::Int},
    {DType::kInt64, c10::ScalarType::Long},
    {DType::kFloat16, c10::ScalarType::Half},
    {DType::kBFloat16, c10::ScalarType::BFloat16},
    {DType::kFloat32, c10::ScalarType::Float},
    {DType::kFloat64, c10::ScalarType::Double},
}};

}  // namespace

c10::ScalarType ToTorch(DType dtype) {
  for (const auto& [ours, theirs] : kTable) {
    if (ours == dtype) return theirs;
  }
  return c10::ScalarType::Undefined;
}

std::optional<DType> FromTorch(c10::ScalarType type) {
  for (const auto& [ours, theirs] : kTable) {
    if (theirs == type) return ours;
  }
  return std::nullopt;
}

}  // namespace sconce::torch_engine
