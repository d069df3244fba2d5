// One tensor of JSON text, read straight into a task's storage.
// Thread: pure but for the reader and the layout.
#pragma once

#include <string_view>

#include "codec/json_reader.h"
#include "codec/layout.h"

namespace sconce::codec {

struct TensorPlace {
  const InputSpec* declared = nullptr;  // null: float32 of whatever rectangular shape the text shows
  std::string_view name;                // for messages; empty: an input without a name
  int depth = 0;                        // arrays and objects around it
};

// Reads nested arrays, or a scalar, at the reader. Recursion is bounded by the rank, at most kMaxDims.
Status ReadTensor(JsonReader& reader, const TensorPlace& place, Layout& layout, TensorView* view);

}  // namespace sconce::codec
