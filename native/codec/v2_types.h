// The Open Inference Protocol's words for dtypes.
// Thread: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/tensor.h"

namespace sconce::codec {

// By the number of the dtype.
inline constexpr std::array<std::string_view, 10> kV2Types = {"BOOL",  "UINT8", "INT8", "INT16", "INT32",
                                                              "INT64", "FP16",  "BF16", "FP32",  "FP64"};

inline constexpr std::string_view kV2Text = "BYTES";  // text; no input here can be that

inline constexpr std::string_view V2Type(DType dtype) { return kV2Types[static_cast<std::size_t>(dtype)]; }

// Nothing for what no tensor here can be: UINT16, UINT32, UINT64, BYTES and words that are none.
inline std::optional<DType> ParseV2Type(std::string_view word) {
  for (std::size_t i = 0; i < kV2Types.size(); ++i) {
    if (kV2Types[i] == word) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace sconce::codec
