#include "codec/json_string.h"

#include <cstdint>

namespace sconce::codec {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool ReadHex4(JsonReader& reader, std::uint32_t* unit) {
  if (reader.end() - reader.at() < 4) return false;
  *unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int v = HexValue(reader.at()[i]);
    if (v < 0) return false;
    *unit = *unit * 16 + static_cast<std::uint32_t>(v);
  }
  reader.Advance(reader.at() + 4);
  return true;
}

void AppendUtf8(std::uint32_t point, std::string* out) {
  const auto put = [out](std::uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

Status ReadUnicodeEscape(JsonReader& reader, std::string* out) {
  std::uint32_t unit = 0;
  if (!ReadHex4(reader, &unit)) return reader.Error("\\u needs four hexadecimal digits");
  if (unit >= 0xDC00 && unit <= 0xDFFF) return reader.Error("a low surrogate without its high one");
  if (unit >= 0xD800 && unit <= 0xDBFF) {
    std::uint32_t low = 0;
    if (!reader.TakeWord("\\u") || !ReadHex4(reader, &low) || low < 0xDC00 || low > 0xDFFF) {
      return reader.Error("a high surrogate without its low one");
    }
    unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
  }
  AppendUtf8(unit, out);
  return Status::Ok();
}

Status ReadEscape(JsonReader& reader, std::string* out) {
  const char c = reader.Peek();
  if (reader.AtEnd()) return reader.Error("unterminated string");
  reader.Advance(reader.at() + 1);
  switch (c) {
    case '"':
    case '\\':
    case '/':
      out->push_back(c);
      return Status::Ok();
    case 'b':
      out->push_back('\b');
      return Status::Ok();
    case 'f':
      out->push_back('\f');
      return Status::Ok();
    case 'n':
      out->push_back('\n');
      return Status::Ok();
    case 'r':
      out->push_back('\r');
      return Status::Ok();
    case 't':
      out->push_back('\t');
      return Status::Ok();
    case 'u':
      return ReadUnicodeEscape(reader, out);
    default:
      return reader.Error("unknown escape");
  }
}

// Bytes of the well-formed UTF-8 sequence at `at` (RFC 3629, no over-long forms, no surrogates); 0: ill-formed.
int SequenceLength(const unsigned char* at, const unsigned char* end) {
  const auto tail = [&](int i) { return at + i < end && (at[i] & 0xC0) == 0x80; };
  if (at[0] < 0x80) return 1;
  if (at[0] >= 0xC2 && at[0] <= 0xDF) return tail(1) ? 2 : 0;
  if (at[0] >= 0xE0 && at[0] <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (at[0] == 0xE0 && at[1] < 0xA0) return 0;
    return at[0] == 0xED && at[1] > 0x9F ? 0 : 3;
  }
  if (at[0] >= 0xF0 && at[0] <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (at[0] == 0xF0 && at[1] < 0x90) return 0;
    return at[0] == 0xF4 && at[1] > 0x8F ? 0 : 4;
  }
  return 0;
}

// The code point of the well-formed sequence of `length` bytes.
std::uint32_t CodePoint(const unsigned char* at, int length) {
  if (length == 1) return at[0];
  std::uint32_t point = at[0] & (0xFFU >> (length + 1));
  for (int i = 1; i < length; ++i) point = (point << 6) | (at[i] & 0x3FU);
  return point;
}

void PutUnit(std::uint32_t unit, Buffer& out) {
  constexpr char kHex[] = "0123456789abcdef";
  const char text[6] = {'\\',           'u', kHex[(unit >> 12) & 15], kHex[(unit >> 8) & 15], kHex[(unit >> 4) & 15],
                        kHex[unit & 15]};
  out.Append(text, sizeof text);
}

void PutPoint(std::uint32_t point, Buffer& out) {
  if (point < 0x10000) return PutUnit(point, out);
  PutUnit(0xD800 + ((point - 0x10000) >> 10), out);
  PutUnit(0xDC00 + ((point - 0x10000) & 0x3FF), out);
}

}  // namespace

Status ReadString(JsonReader& reader, std::size_t max_bytes, std::string* out) {
  out->clear();
  if (!reader.Take('"')) return reader.Error("expected a string");
  const auto* end = reinterpret_cast<const unsigned char*>(reader.end());
  for (;;) {
    if (reader.AtEnd()) return reader.Error("unterminated string");
    if (out->size() > max_bytes) return reader.Error("a string over " + std::to_string(max_bytes) + " bytes");
    if (reader.Take('"')) return Status::Ok();
    if (reader.Take('\\')) {
      if (Status s = ReadEscape(reader, out); !s.ok()) return s;
      continue;
    }
    const auto* at = reinterpret_cast<const unsigned char*>(reader.at());
    if (*at < 0x20) return reader.Error("a control character in a string");
    const int length = SequenceLength(at, end);
    if (length == 0) return reader.Error("ill-formed UTF-8");
    out->append(reader.at(), static_cast<std::size_t>(length));
    reader.Advance(reader.at() + length);
  }
}

void WriteString(std::string_view text, Buffer& out) {
  out.Append("\"", 1);
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = at + text.size();
  while (at != end) {
    const int length = SequenceLength(at, end);
    if (length == 1 && *at >= 0x20 && *at != 0x7F) {
      if (*at == '"' || *at == '\\') out.Append("\\", 1);
      out.Append(at, 1);
    } else {
      PutPoint(length == 0 ? 0xFFFD : CodePoint(at, length), out);
    }
    at += length == 0 ? 1 : length;
  }
  out.Append("\"", 1);
}

}  // namespace sconce::codec
