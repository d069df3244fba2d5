// Short ways to make signatures, bodies and views in codec's tests.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "codec/codec.h"

namespace sconce::codec {

inline std::span<const std::byte> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string TextOf(const Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), buffer.size()};
}

inline Signature Declare(std::vector<InputSpec> inputs) { return {true, std::move(inputs), {}}; }
inline Signature One(DType dtype, Shape shape) { return Declare({{"x", dtype, shape, false}}); }

inline Status DecodeText(std::string_view text, const Signature& signature, Task& task, const Limits& limits = {}) {
  return Decode(InputFormat::kJson, Bytes(text), signature, limits, task);
}

template <typename T>
std::vector<T> Values(const TensorView& view) {
  std::vector<T> values(view.bytes / sizeof(T));
  if (view.bytes > 0) std::memcpy(values.data(), view.data, view.bytes);
  return values;
}

template <typename T>
TensorView View(DType dtype, Shape shape, const std::vector<T>& values) {
  return {dtype, shape, reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T), true};
}

}  // namespace sconce::codec
