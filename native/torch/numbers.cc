#include "torch/numbers.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace sconce::torch_engine {
namespace {

template <typename T>
void Store(double value, std::byte* to) {
  T typed;
  if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>) {
    typed = T(static_cast<float>(value));
  } else {
    typed = static_cast<T>(value);
  }
  std::memcpy(to, &typed, sizeof typed);
}

template <typename T>
double Load(const std::byte* from) {
  T typed;
  std::memcpy(&typed, from, sizeof typed);
  if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>) {
    return static_cast<double>(static_cast<float>(typed));
  } else {
    return static_cast<double>(typed);
  }
}

}  // namespace

bool IsFloating(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

void StoreNumber(DType dtype, double value, std::byte* to) {
  switch (dtype) {
    case DType::kBool:
      return Store<std::uint8_t>(value != 0 ? 1 : 0, to);
    case DType::kUint8:
      return Store<std::uint8_t>(value, to);
    case DType::kInt8:
      return Store<std::int8_t>(value, to);
    case DType::kInt16:
      return Store<std::int16_t>(value, to);
    case DType::kInt32:
      return Store<std::int32_t>(value, to);
    case DType::kInt64:
      return Store<std::int64_t>(value, to);
    case DType::kFloat16:
      return Store<c10::Half>(value, to);
    case DType::kBFloat16:
      return Store<c10::BFloat16>(value, to);
    case DType::kFloat32:
      return Store<float>(value, to);
    case DType::kFloat64:
      return Store<double>(value, to);
  }
}

double LoadNumber(DType dtype, const std::byte* from) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUint8:
      return Load<std::uint8_t>(from);
    case DType::kInt8:
      return Load<std::int8_t>(from);
    case DType::kInt16:
      return Load<std::int16_t>(from);
    case DType::kInt32:
      return Load<std::int32_t>(from);
    case DType::kInt64:
      return Load<std::int64_t>(from);
    case DType::kFloat16:
      return Load<c10::Half>(from);
    case DType::kBFloat16:
      return Load<c10::BFloat16>(from);
    case DType::kFloat32:
      return Load<float>(from);
    case DType::kFloat64:
      return Load<double>(from);
  }
  return 0;
}

}  // namespace sconce::torch_engine
