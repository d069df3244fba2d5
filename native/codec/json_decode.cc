#include "codec/json_decode.h"

#include <algorithm>
#include <string>
#include <vector>

#include "codec/json_reader.h"
#include "codec/json_string.h"
#include "codec/json_tensor.h"

namespace sconce::codec {
namespace {

constexpr std::string_view kInstances = "instances";

std::string Quoted(std::string_view name) { return "input \"" + std::string(name) + "\""; }

class BodyReader {
 public:
  BodyReader(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task)
      : reader_(body), signature_(signature), layout_(layout), task_(task) {}

  Status Read() {
    if (reader_.TakeWord("\xEF\xBB\xBF")) {
      reader_.Advance(reader_.at() - 3);
      return reader_.Error("a byte order mark; send UTF-8 without it");
    }
    reader_.SkipSpace();
    if (reader_.AtEnd()) return {Code::kBadRequest, "the body is empty; expected JSON: " + Expected()};
    if (Status s = TooDeep(); !s.ok()) return s;
    if (Status s = OpensInstances() ? Instances() : Sample(); !s.ok()) return s;
    reader_.SkipSpace();
    return reader_.AtEnd() ? Status::Ok() : reader_.Error("text after the JSON value");
  }

 private:
  // Nothing this server reads nests deeply: the first brackets alone tell a hostile body.
  Status TooDeep() {
    JsonReader ahead = reader_;
    int depth = 0;
    while (ahead.Take('[') || ahead.Take('{')) {
      if (++depth > layout_.limits().max_json_depth) {
        return ahead.Error("nested deeper than " + std::to_string(layout_.limits().max_json_depth));
      }
      ahead.SkipSpace();
    }
    return Status::Ok();
  }

  std::string Expected() const {
    if (!signature_.declared) return "an array of numbers, an object of inputs by name, or {\"instances\": [...]}";
    if (signature_.inputs.size() == 1) {
      const InputSpec& in = signature_.inputs[0];
      return std::string(DTypeName(in.dtype)) + " " + in.shape.ToString() + ", or {\"instances\": [...]}";
    }
    std::string names;
    for (const InputSpec& in : signature_.inputs) names += (names.empty() ? "\"" : ", \"") + in.name + "\"";
    return "an object with the inputs " + names + ", or {\"instances\": [...]}";
  }

  bool OpensInstances() {
    JsonReader ahead = reader_;
    if (!ahead.Take('{')) return false;
    ahead.SkipSpace();
    std::string key;
    return ReadString(ahead, kMaxNameBytes, &key).ok() && key == kInstances;
  }

  Status Instances() {
    task_.instances = true;
    reader_.Take('{');
    reader_.SkipSpace();
    std::string key;
    if (Status s = ReadString(reader_, kMaxNameBytes, &key); !s.ok()) return s;
    if (Status s = Colon(); !s.ok()) return s;
    if (!reader_.Take('[')) return reader_.Error("\"instances\" holds an array of samples");
    reader_.SkipSpace();
    if (reader_.Take(']')) return {Code::kBadRequest, "\"instances\" is empty; expected at least one sample"};
    for (;;) {
      if (layout_.rows() >= layout_.limits().max_instances) {
        return {Code::kBadRequest, "more than " + std::to_string(layout_.limits().max_instances) +
                                       " instances; maxInstances sets the limit"};
      }
      if (Status s = Sample(); !s.ok()) {
        return {s.code(), "instance " + std::to_string(layout_.rows()) + ": " + s.message()};
      }
      reader_.SkipSpace();
      if (reader_.Take(',')) {
        reader_.SkipSpace();
        continue;
      }
      if (reader_.Take(']')) break;
      return reader_.Error("expected , or ]");
    }
    reader_.SkipSpace();
    if (reader_.Take('}')) return Status::Ok();
    return reader_.Error("expected } (\"instances\" stands alone in its object)");
  }

  Status Colon() {
    reader_.SkipSpace();
    if (!reader_.Take(':')) return reader_.Error("expected :");
    reader_.SkipSpace();
    return Status::Ok();
  }

  Status Sample() {
    if (reader_.Peek() == '{') return NamedSample();
    const bool single = !signature_.declared || signature_.inputs.size() == 1;
    if (!single)
      return {Code::kBadRequest,
              "expected " + Expected() + "; got a bare value at byte " + std::to_string(reader_.offset())};
    if (!signature_.declared && layout_.rows() > 0 && !task_.names.empty()) return MixedNames();
    const InputSpec* spec = signature_.declared ? &signature_.inputs[0] : nullptr;
    const std::string where = spec != nullptr ? Quoted(spec->name) : "input";
    std::vector<Layout::Slot> slots(1);
    if (Status s = ReadTensor(reader_, spec, where, layout_, slots.data()); !s.ok()) return s;
    layout_.AddRow(std::move(slots));
    return Status::Ok();
  }

  static Status MixedNames() {
    return {Code::kBadRequest, "samples of one request name the same inputs in the same way; this one differs"};
  }

  Status NamedSample() {
    reader_.Take('{');
    std::vector<Layout::Slot> slots(signature_.declared ? signature_.inputs.size() : 0);
    for (Layout::Slot& slot : slots) slot.present = false;
    std::vector<std::string> seen;
    reader_.SkipSpace();
    if (!reader_.Take('}')) {
      if (Status s = Members(slots, seen); !s.ok()) return s;
    }
    if (Status s = signature_.declared ? CheckComplete(slots) : CheckUndeclared(slots, seen); !s.ok()) return s;
    layout_.AddRow(std::move(slots));
    return Status::Ok();
  }

  Status Members(std::vector<Layout::Slot>& slots, std::vector<std::string>& seen) {
    std::string key;
    for (;;) {
      if (static_cast<int>(seen.size()) >= std::min(layout_.limits().max_json_keys, kMaxTensors)) {
        return reader_.Error("more than " + std::to_string(kMaxTensors) + " inputs in one object");
      }
      if (Status s = ReadString(reader_, kMaxNameBytes, &key); !s.ok()) return s;
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) return reader_.Error("a duplicate key");
      seen.push_back(key);
      if (Status s = Colon(); !s.ok()) return s;
      if (Status s = Member(key, slots); !s.ok()) return s;
      reader_.SkipSpace();
      if (reader_.Take(',')) {
        reader_.SkipSpace();
        continue;
      }
      if (reader_.Take('}')) return Status::Ok();
      return reader_.Error("expected , or }");
    }
  }

  Status Member(const std::string& key, std::vector<Layout::Slot>& slots) {
    if (!signature_.declared) {
      slots.emplace_back();
      return ReadTensor(reader_, nullptr, Quoted(key), layout_, &slots.back());
    }
    for (std::size_t i = 0; i < signature_.inputs.size(); ++i) {
      const InputSpec& spec = signature_.inputs[i];
      if (spec.name != key) continue;
      if (spec.optional && reader_.TakeWord("null")) return Status::Ok();
      slots[i].present = true;
      return ReadTensor(reader_, &spec, Quoted(key), layout_, &slots[i]);
    }
    if (key == kInstances) return {Code::kBadRequest, "\"instances\" stands alone in its object"};
    return {Code::kBadRequest, "there is no " + Quoted(Printable(key)) + "; expected " + Expected()};
  }

  // Names come back in messages: only printable ASCII, cut short.
  static std::string Printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 64)) out.push_back(c >= 0x20 && c < 0x7F && c != '"' ? c : '?');
    return out;
  }

  Status CheckComplete(const std::vector<Layout::Slot>& slots) const {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].present || signature_.inputs[i].optional) continue;
      return {Code::kBadRequest, Quoted(signature_.inputs[i].name) + " is missing; expected " + Expected()};
    }
    return Status::Ok();
  }

  Status CheckUndeclared(const std::vector<Layout::Slot>& slots, std::vector<std::string>& seen) {
    if (slots.empty()) return {Code::kBadRequest, "an object without inputs; expected " + Expected()};
    if (layout_.rows() == 0) {
      task_.names = std::move(seen);
      return Status::Ok();
    }
    return seen == task_.names ? Status::Ok() : MixedNames();
  }

  JsonReader reader_;
  const Signature& signature_;
  Layout& layout_;
  Task& task_;
};

}  // namespace

Status DecodeJson(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task) {
  return BodyReader(body, signature, layout, task).Read();
}

}  // namespace sconce::codec
