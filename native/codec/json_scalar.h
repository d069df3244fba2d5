// One element of a JSON array as one element of a tensor.
// Thread: pure but for the reader and the bytes it fills.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/json_reader.h"
#include "core/tensor.h"

namespace sconce::codec {

enum class ScalarResult : std::uint8_t {
  kOk,
  kOutOfRange,  // a number, or true and false's 0 and 1, outside the dtype
  kNotWhole,    // a fraction for an integer dtype
  kOther,       // no value of this kind stands here
};

bool IsFloating(DType dtype);

// Reads one value and stores ByteSize(dtype) bytes at `to`. Only kOk moves the reader.
// Floating dtypes also take the strings "NaN", "Infinity" and "-Infinity" (the Protobuf JSON mapping), bool takes true,
// false, 0 and 1. float16 and bfloat16 round to nearest even from the double nearest to the text.
ScalarResult ReadScalar(JsonReader& reader, DType dtype, std::byte* to);

}  // namespace sconce::codec
