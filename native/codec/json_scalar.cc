#include "codec/json_scalar.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "codec/float_text.h"
#include "codec/half.h"

namespace sconce::codec {
namespace {

ScalarResult Judge(NumberResult result) {
  switch (result) {
    case NumberResult::kOk:
      return ScalarResult::kOk;
    case NumberResult::kOutOfRange:
      return ScalarResult::kOutOfRange;
    case NumberResult::kNotWhole:
      return ScalarResult::kNotWhole;
    case NumberResult::kNotANumber:
      break;
  }
  return ScalarResult::kOther;
}

bool Special(JsonReader& reader, double* value) {
  if (reader.Peek() != '"') return false;
  if (reader.TakeWord("\"NaN\"")) {
    *value = std::numeric_limits<double>::quiet_NaN();
  } else if (reader.TakeWord("\"Infinity\"")) {
    *value = std::numeric_limits<double>::infinity();
  } else if (reader.TakeWord("\"-Infinity\"")) {
    *value = -std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  return true;
}

template <typename T>
void Store(T value, std::byte* to) {
  std::memcpy(to, &value, sizeof value);
}

ScalarResult Float32(JsonReader& reader, std::byte* to) {
  float value;
  const char* next = nullptr;
  const NumberResult result = ReadFloat(reader.at(), reader.end(), &value, &next);
  if (result == NumberResult::kOk) {
    reader.Advance(next);
    Store(value, to);
    return ScalarResult::kOk;
  }
  double special;
  if (!Special(reader, &special)) return Judge(result);
  Store(static_cast<float>(special), to);
  return ScalarResult::kOk;
}

ScalarResult Double(JsonReader& reader, std::byte* to) {
  double value;
  const char* next = nullptr;
  const NumberResult result = ReadDouble(reader.at(), reader.end(), &value, &next);
  if (result == NumberResult::kOk) {
    reader.Advance(next);
  } else if (!Special(reader, &value)) {
    return Judge(result);
  }
  Store(value, to);
  return ScalarResult::kOk;
}

// The bits of float16 or bfloat16, and whether a finite value became infinite.
template <std::uint16_t kInfinity>
ScalarResult Half(JsonReader& reader, std::byte* to, std::uint16_t (*round)(float)) {
  double value;
  const char* next = nullptr;
  const NumberResult result = ReadDouble(reader.at(), reader.end(), &value, &next);
  const bool number = result == NumberResult::kOk;
  if (!number && !Special(reader, &value)) return Judge(result);
  const std::uint16_t bits = round(RoundToOddFloat(value));
  if (number && (bits & 0x7FFFU) == kInfinity) return ScalarResult::kOutOfRange;
  if (number) reader.Advance(next);
  Store(bits, to);
  return ScalarResult::kOk;
}

ScalarResult Bool(JsonReader& reader, std::byte* to) {
  std::int64_t value = 0;
  if (reader.TakeWord("true")) {
    value = 1;
  } else if (!reader.TakeWord("false")) {
    const char* next = nullptr;
    const NumberResult result = ReadInt64(reader.at(), reader.end(), &value, &next);
    if (result != NumberResult::kOk) return Judge(result);
    if (value != 0 && value != 1) return ScalarResult::kOutOfRange;
    reader.Advance(next);
  }
  Store(static_cast<std::uint8_t>(value), to);
  return ScalarResult::kOk;
}

template <typename T>
ScalarResult Integer(JsonReader& reader, std::byte* to) {
  std::int64_t value = 0;
  const char* next = nullptr;
  const NumberResult result = ReadInt64(reader.at(), reader.end(), &value, &next);
  if (result != NumberResult::kOk) return Judge(result);
  if (value < std::int64_t{std::numeric_limits<T>::min()} || value > std::int64_t{std::numeric_limits<T>::max()}) {
    return ScalarResult::kOutOfRange;
  }
  reader.Advance(next);
  Store(static_cast<T>(value), to);
  return ScalarResult::kOk;
}

}  // namespace

bool IsFloating(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

ScalarResult ReadScalar(JsonReader& reader, DType dtype, std::byte* to) {
  switch (dtype) {
    case DType::kFloat32:
      return Float32(reader, to);
    case DType::kFloat64:
      return Double(reader, to);
    case DType::kFloat16:
      return Half<0x7C00>(reader, to, FloatToHalf);
    case DType::kBFloat16:
      return Half<0x7F80>(reader, to, FloatToBFloat16);
    case DType::kBool:
      return Bool(reader, to);
    case DType::kUint8:
      return Integer<std::uint8_t>(reader, to);
    case DType::kInt8:
      return Integer<std::int8_t>(reader, to);
    case DType::kInt16:
      return Integer<std::int16_t>(reader, to);
    case DType::kInt32:
      return Integer<std::int32_t>(reader, to);
    case DType::kInt64:
      return Integer<std::int64_t>(reader, to);
  }
  return ScalarResult::kOther;
}

}  // namespace sconce::codec
