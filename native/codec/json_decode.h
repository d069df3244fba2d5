// The JSON body of a prediction. Thread: pure but for what it fills.
#pragma once

#include "codec/codec.h"
#include "codec/layout.h"

namespace sconce::codec {

// A JSON body: one sample, or {"instances": [samples]}. Fills the layout, task.names and task.instances.
Status DecodeJson(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task);

}  // namespace sconce::codec
