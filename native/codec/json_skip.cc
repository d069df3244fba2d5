#include "codec/json_skip.h"

#include <vector>

#include "codec/json_string.h"

namespace sconce::codec {
namespace {

constexpr std::size_t kShownBytes = 64;

bool InScalar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

}  // namespace

Status SkipValue(JsonReader& reader, int max_depth) {
  std::vector<char> open;
  std::string text;
  do {
    reader.SkipSpace();
    const char c = reader.Peek();
    if (c == '"') {
      const auto left = static_cast<std::size_t>(reader.end() - reader.at());
      if (Status s = ReadString(reader, left, &text); !s.ok()) return s;
    } else if (c == '[' || c == '{') {
      if (static_cast<int>(open.size()) == max_depth) {
        return reader.Error("nested deeper than " + std::to_string(max_depth));
      }
      open.push_back(c == '[' ? ']' : '}');
      reader.Take(c);
    } else if (!open.empty() && c == open.back() && reader.Take(c)) {
      open.pop_back();
    } else if (InScalar(c)) {
      while (InScalar(reader.Peek())) reader.Advance(reader.at() + 1);
    } else if (open.empty() || (c != ',' && c != ':') || !reader.Take(c)) {
      return reader.Error("expected a value");
    }
  } while (!open.empty());
  return Status::Ok();
}

std::string ShownText(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kShownBytes)) out.push_back(c >= 0x20 && c < 0x7F && c != '"' ? c : '?');
  return out + (text.size() > kShownBytes ? "..." : "");
}

}  // namespace sconce::codec
