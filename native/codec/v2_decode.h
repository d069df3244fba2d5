// The body of an Open Inference Protocol request. Thread: pure but for what it fills.
#pragma once

#include "codec/codec.h"
#include "codec/layout.h"

namespace sconce::codec {

// The longest request id, in bytes.
inline constexpr std::size_t kMaxV2IdBytes = 256;

// See DecodeV2. Fills the layout, task.names, task.instances and task.v2.
Status ReadV2(std::span<const std::byte> body, std::size_t json_bytes, const Signature& signature, Layout& layout,
              Task& task);

}  // namespace sconce::codec
