#include "codec/json_skip.h"

#include <vector>

#include "codec/float_text.h"
#include "codec/json_string.h"

namespace sconce::codec {
namespace {

constexpr std::size_t kShownBytes = 64;

class Skipper {
 public:
  Skipper(JsonReader& reader, int max_depth) : reader_(reader), max_depth_(max_depth) {}

  Status Run() {
    do {
      reader_.SkipSpace();
      Status s = Begin();
      if (s.ok()) s = End();
      if (!s.ok()) return s;
    } while (!open_.empty());
    return Status::Ok();
  }

 private:
  // A scalar, or the bracket that opens an array or object and, of an object, its first key. Sets inside_ where the
  // value goes on.
  Status Begin() {
    const char c = reader_.Peek();
    inside_ = c == '[' || c == '{';
    if (inside_) return Open(c);
    if (c == '"') return String();
    if (reader_.TakeWord("true") || reader_.TakeWord("false") || reader_.TakeWord("null")) return Status::Ok();
    double value;
    const char* next = nullptr;
    const bool number = ReadDouble(reader_.at(), reader_.end(), &value, &next) != NumberResult::kNotANumber;
    if (!number) return reader_.Error("expected a value");
    reader_.Advance(next);
    return Status::Ok();
  }

  Status Open(char bracket) {
    if (static_cast<int>(open_.size()) == max_depth_) {
      return reader_.Error("nested deeper than " + std::to_string(max_depth_));
    }
    reader_.Take(bracket);
    open_.push_back(bracket == '[' ? ']' : '}');
    reader_.SkipSpace();
    if (reader_.Peek() != open_.back()) return bracket == '[' ? Status::Ok() : Key();
    inside_ = false;
    return Close();
  }

  // Behind a value: the brackets that close, up to where the next value begins.
  Status End() {
    while (!inside_ && !open_.empty()) {
      reader_.SkipSpace();
      if (reader_.Take(',')) {
        reader_.SkipSpace();
        return open_.back() == ']' ? Status::Ok() : Key();
      }
      if (Status s = Close(); !s.ok()) return s;
    }
    return Status::Ok();
  }

  Status Close() {
    if (!reader_.Take(open_.back())) return reader_.Error(std::string("expected , or ") + open_.back());
    open_.pop_back();
    return Status::Ok();
  }

  Status Key() {
    if (Status s = String(); !s.ok()) return s;
    reader_.SkipSpace();
    return reader_.Take(':') ? Status::Ok() : reader_.Error("expected :");
  }

  Status String() {
    const auto left = static_cast<std::size_t>(reader_.end() - reader_.at());
    return ReadString(reader_, left, &text_);
  }

  JsonReader& reader_;
  int max_depth_;
  bool inside_ = false;
  std::vector<char> open_;  // the brackets that are to close
  std::string text_;
};

}  // namespace

Status SkipValue(JsonReader& reader, int max_depth) { return Skipper(reader, max_depth).Run(); }

std::string ShownText(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kShownBytes)) out.push_back(c >= 0x20 && c < 0x7F && c != '"' ? c : '?');
  return out + (text.size() > kShownBytes ? "..." : "");
}

}  // namespace sconce::codec
