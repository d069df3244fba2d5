// As much JSON as golden files use, for tests; free of libtorch.
#pragma once

#include <cctype>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sconce::torch_engine::testing {

// Numbers keep their text.
struct Json {
  std::string text;  // string, number, true, false
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> fields;

  const Json& at(const std::string& key) const {
    for (const auto& [name, value] : fields) {
      if (name == key) return value;
    }
    throw std::runtime_error("golden: no field " + key);
  }
  bool has(const std::string& key) const {
    for (const auto& field : fields) {
      if (field.first == key) return true;
    }
    return false;
  }
};

class JsonReader {
 public:
  explicit JsonReader(std::string text) : text_(std::move(text)) {}

  Json Value() {
    Skip();
    Json value;
    if (text_[at_] == '{') {
      ++at_;
      while (!Ends('}')) {
        std::string key = Word();
        Skip();
        ++at_;  // ':'
        value.fields.emplace_back(std::move(key), Value());
      }
    } else if (text_[at_] == '[') {
      ++at_;
      while (!Ends(']')) value.items.push_back(Value());
    } else {
      value.text = Word();
    }
    return value;
  }

 private:
  void Skip() {
    while (at_ < text_.size() && (std::isspace(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == ','))
      ++at_;
  }
  bool Ends(char close) {
    Skip();
    if (at_ >= text_.size()) throw std::runtime_error("golden: cut short");
    if (text_[at_] != close) return false;
    ++at_;
    return true;
  }
  std::string Word() {
    Skip();
    const bool quoted = text_[at_] == '"';
    const std::size_t from = quoted ? at_ + 1 : at_;
    const std::size_t to = text_.find_first_of(quoted ? "\"" : ",:]} \n", from);
    at_ = quoted ? to + 1 : to;
    return text_.substr(from, to - from);
  }

  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace sconce::torch_engine::testing
