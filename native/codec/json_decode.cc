#include "codec/json_decode.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <string>
#include <vector>

#include "codec/check.h"
#include "codec/json_reader.h"
#include "codec/json_skip.h"
#include "codec/json_string.h"
#include "codec/json_tensor.h"

namespace sconce::codec {
namespace {

constexpr std::string_view kInstances = "instances";
// What clients of Vertex AI, KServe and TensorFlow Serving send beside the instances; it changes nothing here.
constexpr std::array<std::string_view, 2> kBeside = {"parameters", "signature_name"};
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class BodyReader {
 public:
  BodyReader(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task)
      : reader_(body), signature_(signature), layout_(layout), task_(task) {}

  Status Read() {
    JsonReader ahead = reader_;
    if (ahead.TakeWord(kByteOrderMark)) return reader_.Error("a byte order mark; send UTF-8 without it");
    reader_.SkipSpace();
    if (reader_.AtEnd()) return {Code::kBadRequest, "the body is empty; expected JSON: " + Expected()};
    if (Status s = OpensInstances() ? Instances() : Sample(0); !s.ok()) return s;
    reader_.SkipSpace();
    return reader_.AtEnd() ? Status::Ok() : reader_.Error("something follows the JSON value");
  }

 private:
  std::string Expected() const {
    const std::string several = ", or {\"instances\": [...]}";
    if (!signature_.declared) return "an array of numbers, an object of inputs by name" + several;
    if (signature_.inputs.size() == 1) {
      const InputSpec& only = signature_.inputs[0];
      return std::string(DTypeName(only.dtype)) + ' ' + only.shape.ToString() + several;
    }
    std::string names;
    for (const InputSpec& input : signature_.inputs) {
      names += (names.empty() ? "" : ", ") + std::string(input.optional ? "optional " : "") + '"' + input.name + '"';
    }
    return "an object with the inputs " + names + several;
  }

  bool OpensInstances() {
    JsonReader ahead = reader_;
    if (!ahead.Take('{')) return false;
    for (std::size_t beside = 0; beside <= kBeside.size(); ++beside) {
      ahead.SkipSpace();
      if (!ReadString(ahead, kMaxNameBytes, &key_).ok()) return false;
      if (key_ == kInstances) return true;
      if (!IsBeside(key_)) return false;
      ahead.SkipSpace();
      if (!ahead.Take(':')) return false;
      ahead.SkipSpace();
      if (!SkipValue(ahead, layout_.limits().max_json_depth).ok()) return false;
      ahead.SkipSpace();
      if (!ahead.Take(',')) return false;
    }
    return false;
  }

  // An input may be called so; then it is that.
  bool IsBeside(std::string_view key) const {
    return std::ranges::find(kBeside, key) != kBeside.end() &&
           std::ranges::find(signature_.inputs, key, &InputSpec::name) == signature_.inputs.end();
  }

  Status Key() {
    if (Status s = ReadString(reader_, kMaxNameBytes, &key_); !s.ok()) return s;
    reader_.SkipSpace();
    if (!reader_.Take(':')) return reader_.Error("expected :");
    reader_.SkipSpace();
    return Status::Ok();
  }

  // After an element: whether another follows (*more) or `close` ends them.
  Status Next(char close, bool* more) {
    reader_.SkipSpace();
    *more = reader_.Take(',');
    if (*more) {
      reader_.SkipSpace();
    } else if (!reader_.Take(close)) {
      return reader_.Error(std::string("expected , or ") + close);
    }
    return Status::Ok();
  }

  Status Instances() {
    task_.instances = true;
    reader_.Take('{');
    reader_.SkipSpace();
    bool seen = false;
    std::bitset<kBeside.size()> passed;
    for (bool more = true; more;) {
      const std::size_t key_at = reader_.offset();
      if (Status s = Key(); !s.ok()) return s;
      if (key_ == kInstances) {
        if (seen) return Again(key_at);
        seen = true;
        if (Status s = Samples(); !s.ok()) return s;
      } else if (Status s = PassBeside(key_at, passed); !s.ok()) {
        return s;
      }
      if (Status s = Next('}', &more); !s.ok()) return s;
    }
    return Status::Ok();
  }

  Status Again(std::size_t key_at) const {
    return {Code::kBadRequest, "malformed JSON: the key " + Shown(key_) + " again at byte " + std::to_string(key_at)};
  }

  Status PassBeside(std::size_t key_at, std::bitset<kBeside.size()>& passed) {
    if (!IsBeside(key_)) {
      return {Code::kBadRequest, "the key " + Shown(key_) + " at byte " + std::to_string(key_at) +
                                     " beside \"instances\", which only \"parameters\" and \"signature_name\" may"
                                     " stand beside"};
    }
    const auto place = static_cast<std::size_t>(std::ranges::find(kBeside, key_) - kBeside.begin());
    if (passed[place]) return Again(key_at);
    passed[place] = true;
    return SkipValue(reader_, layout_.limits().max_json_depth);
  }

  Status Samples() {
    if (!reader_.Take('[')) {
      return {Code::kBadRequest,
              "\"instances\" at byte " + std::to_string(reader_.offset()) + " has to be an array of samples"};
    }
    reader_.SkipSpace();
    if (reader_.Peek() == ']') return {Code::kBadRequest, "\"instances\" is empty; expected at least one sample"};
    for (bool more = true; more;) {
      const std::size_t index = task_.rows.size();
      if (index >= layout_.limits().max_instances) {
        return {Code::kBadRequest,
                "more than " + std::to_string(layout_.limits().max_instances) + " instances" + kInstancesOption};
      }
      Status s = Sample(2);
      if (s.ok()) s = Next(']', &more);
      if (!s.ok()) return {s.code(), "instance " + std::to_string(index) + ": " + s.message()};
    }
    return Status::Ok();
  }

  // `depth`: arrays and objects around the sample.
  Status Sample(int depth) {
    if (reader_.Peek() == '{') return Named(depth + 1);
    if (signature_.declared && signature_.inputs.size() != 1) {
      return {Code::kBadRequest,
              "expected " + Expected() + "; got another value at byte " + std::to_string(reader_.offset())};
    }
    if (!task_.names.empty()) return OtherNames();
    TensorPlace place;
    place.depth = depth;
    if (signature_.declared) place.declared = &signature_.inputs[0];
    if (signature_.declared) place.name = signature_.inputs[0].name;
    return ReadTensor(reader_, place, layout_, layout_.AddRow(1).data());
  }

  Status OtherNames() const {
    return {Code::kBadRequest, "the samples of one request have to name the same inputs; the first one at byte " +
                                   std::to_string(reader_.offset()) + " does not"};
  }

  // An object of inputs by name: the declared ones, those of the first sample, or any.
  Status Named(int depth) {
    const bool first = task_.rows.empty();
    if (!signature_.declared && !first && task_.names.empty()) return OtherNames();
    std::vector<TensorView>& views =
        layout_.AddRow(signature_.declared ? signature_.inputs.size() : task_.names.size());
    for (TensorView& view : views) view.present = false;
    seen_.reset();
    reader_.Take('{');
    reader_.SkipSpace();
    bool more = !reader_.Take('}');
    for (int keys = 1; more; ++keys) {
      if (keys > layout_.limits().max_json_keys) {
        return reader_.Error("more than " + std::to_string(layout_.limits().max_json_keys) + " keys in one object");
      }
      const std::size_t key_at = reader_.offset();
      if (Status s = Key(); !s.ok()) return s;
      if (Status s = Member(depth, first, key_at, views); !s.ok()) return s;
      if (Status s = Next('}', &more); !s.ok()) return s;
    }
    return CheckComplete(views);
  }

  Status Member(int depth, bool first, std::size_t key_at, std::vector<TensorView>& views) {
    const auto at = [key_at] { return " at byte " + std::to_string(key_at); };
    std::size_t index = IndexOf(key_);
    if (index == views.size()) {
      if (key_ == kInstances) return {Code::kBadRequest, "\"instances\"" + at() + " has to stand alone in its object"};
      if (signature_.declared) {
        return {Code::kBadRequest, "there is no input " + Shown(key_) + at() + "; expected " + Expected()};
      }
      if (!first) return OtherNames();
      if (!IsName(key_)) return {Code::kBadRequest, "the name" + at() + " is empty or has control characters"};
      if (index == kMaxTensors) {
        return {Code::kBadRequest, "more than " + std::to_string(kMaxTensors) + " inputs" + at()};
      }
      task_.names.push_back(key_);
      views.emplace_back();
    }
    if (seen_[index]) return Again(key_at);
    seen_[index] = true;
    TensorPlace place{.declared = nullptr, .name = key_, .depth = depth};
    if (signature_.declared) {
      place.declared = &signature_.inputs[index];
      if (place.declared->optional && reader_.TakeWord("null")) return Status::Ok();
    }
    return ReadTensor(reader_, place, layout_, &views[index]);
  }

  // The position of the input `name`, or the number of inputs known so far.
  std::size_t IndexOf(std::string_view name) const {
    if (!signature_.declared) {
      return static_cast<std::size_t>(std::ranges::find(task_.names, name) - task_.names.begin());
    }
    const auto found = std::ranges::find(signature_.inputs, name, &InputSpec::name);
    return static_cast<std::size_t>(found - signature_.inputs.begin());
  }

  Status CheckComplete(const std::vector<TensorView>& views) const {
    if (views.empty()) return {Code::kBadRequest, "an object without inputs; expected " + Expected()};
    for (std::size_t i = 0; i < views.size(); ++i) {
      if (views[i].present) continue;
      if (!signature_.declared) return OtherNames();
      const InputSpec& input = signature_.inputs[i];
      if (!input.optional) {
        return {Code::kBadRequest, "input \"" + input.name + "\" is missing; expected " + Expected()};
      }
    }
    return Status::Ok();
  }

  JsonReader reader_;
  const Signature& signature_;
  Layout& layout_;
  Task& task_;
  std::string key_;                // the last key read
  std::bitset<kMaxTensors> seen_;  // inputs of this object
};

}  // namespace

Status DecodeJson(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task) {
  if (signature.inputs.size() > kMaxTensors) return {Code::kInternal, "the model declares too many inputs"};
  return BodyReader(body, signature, layout, task).Read();
}

}  // namespace sconce::codec
