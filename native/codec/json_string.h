// JSON strings: reading with full validation, writing as ASCII.
#pragma once

#include <string>
#include <string_view>

#include "codec/json_reader.h"
#include "core/buffer.h"
#include "core/status.h"

namespace sconce::codec {

// Reads a string at the reader's `"`; the text is UTF-8. Refuses control characters, bad escapes, lone surrogates,
// ill-formed UTF-8 and more than `max_bytes` bytes.
Status ReadString(JsonReader& reader, std::size_t max_bytes, std::string* out);

// Writes `text` (UTF-8) with quotes; everything outside printable ASCII becomes \uXXXX.
void WriteString(std::string_view text, Buffer& out);

}  // namespace sconce::codec
