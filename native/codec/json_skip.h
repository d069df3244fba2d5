// JSON that is passed over, and text of a client for messages.
// Thread: pure but for the reader.
#pragma once

#include <string>
#include <string_view>

#include "codec/json_reader.h"
#include "core/status.h"

namespace sconce::codec {

// Moves the reader behind the value that stands there. What is passed over is held to JSON's grammar and to
// `max_depth`. No recursion.
Status SkipValue(JsonReader& reader, int max_depth);

// Printable ASCII, cut short.
std::string ShownText(std::string_view text);

}  // namespace sconce::codec
