// A strict RFC 8259 scanner over a byte span: no recursion, no allocation, errors with byte offsets.
// Thread: a Reader belongs to its caller.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/status.h"

namespace sconce::codec {

class JsonReader {
 public:
  explicit JsonReader(std::span<const std::byte> text)
      : begin_(reinterpret_cast<const char*>(text.data())), at_(begin_), end_(begin_ + text.size()) {}

  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool AtEnd() const { return at_ == end_; }
  char Peek() const { return at_ == end_ ? '\0' : *at_; }
  bool Take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  const char* at() const { return at_; }
  const char* end() const { return end_; }
  void Advance(const char* to) { at_ = to; }
  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }

  // "… at byte N"
  Status Error(const std::string& what) const {
    return {Code::kBadRequest, "malformed JSON: " + what + " at byte " + std::to_string(offset())};
  }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace sconce::codec
