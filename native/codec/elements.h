// A run of a tensor's elements as JSON text.
// Thread: pure but for what it appends to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/buffer.h"
#include "core/tensor.h"

namespace sconce::codec {

// Appends `count` elements separated by commas, without brackets: what an array of them holds.
void AppendElements(DType dtype, const std::byte* at, std::int64_t count, Buffer& out);

// What a leaf of LeafKind::kText says.
inline std::string_view TextOf(const TensorView& view) {
  return {reinterpret_cast<const char*>(view.data), view.bytes};
}

}  // namespace sconce::codec
