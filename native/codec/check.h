// What every decoder holds tensors and their names to.
// Thread: pure functions.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "core/signature.h"
#include "core/status.h"

namespace sconce::codec {

inline constexpr std::size_t kShownNameBytes = 64;

// A name that came in, for a message: printable ASCII, cut short.
inline std::string Shown(std::string_view name) {
  std::string out = "\"";
  for (const char c : name.substr(0, kShownNameBytes)) out.push_back(c >= 0x20 && c < 0x7F && c != '"' ? c : '?');
  return out + (name.size() > kShownNameBytes ? "...\"" : "\"");
}

inline bool IsName(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

inline std::string Describe(DType dtype, const Shape& shape) {
  return std::string(DTypeName(dtype)) + " " + shape.ToString();
}

inline std::string Describe(const InputSpec& input) { return Describe(input.dtype, input.shape); }

// Bytes of a bool tensor are 0 or 1: anything else is undefined behaviour further down.
inline Status CheckBools(DType dtype, std::span<const std::byte> data) {
  if (dtype != DType::kBool) return Status::Ok();
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (static_cast<unsigned>(data[i]) > 1) {
      return {Code::kBadRequest, "byte " + std::to_string(i) + " of a bool tensor is neither 0 nor 1"};
    }
  }
  return Status::Ok();
}

}  // namespace sconce::codec
