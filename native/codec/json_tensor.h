// One tensor of JSON text, read straight into a task's storage.
#pragma once

#include <string_view>

#include "codec/json_reader.h"
#include "codec/layout.h"

namespace sconce::codec {

// Reads nested arrays (or a scalar) at the reader. `declared` null: float32 of whatever rectangular shape is there.
// `where` names the input in messages, e.g. `input "ids"`.
Status ReadTensor(JsonReader& reader, const InputSpec* declared, std::string_view where, Layout& layout,
                  Layout::Slot* slot);

}  // namespace sconce::codec
