#include "codec/json_tensor.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "codec/float_text.h"
#include "codec/json_scalar.h"

namespace sconce::codec {
namespace {

constexpr std::size_t kFirstRoom = 256;  // bytes; room for a tensor of unknown size doubles from here

bool StartsNumber(char c) { return c == '-' || (c >= '0' && c <= '9'); }

// What stands where `c` does, for messages; null when no JSON value starts so.
const char* Kind(char c) {
  if (StartsNumber(c)) return "a number";
  switch (c) {
    case '[':
      return "an array";
    case '{':
      return "an object";
    case '"':
      return "a string";
    case 't':
    case 'f':
      return "a boolean";
    case 'n':
      return "null";
    default:
      return nullptr;
  }
}

// The shape that the text at `at` shows: how many arrays it opens, and the length of the first one at each level.
Shape ShownShape(JsonReader at) {
  std::array<std::int64_t, kMaxDims> commas{};
  int rank = 0;
  for (; at.Take('['); at.SkipSpace()) ++rank;
  const bool empty = at.Peek() == ']';
  const int known = std::min(rank, kMaxDims);
  int open = rank;   // arrays around the reader
  int first = rank;  // of those, how many are the first of their level
  for (; first > 0 && !at.AtEnd(); at.Advance(at.at() + 1)) {
    const char c = at.Peek();
    if (c == '[') ++open;
    if (c == ']') first = std::min(first, --open);
    if (c == ',' && open == first && first <= known) ++commas[static_cast<std::size_t>(first - 1)];
  }
  Shape shape;
  for (int i = 0; i < known; ++i) {
    shape.push_back(empty && i + 1 == rank ? 0 : commas[static_cast<std::size_t>(i)] + 1);
  }
  return shape;
}

class TensorReader {
 public:
  TensorReader(JsonReader& reader, const TensorPlace& place, Layout& layout)
      : reader_(reader),
        start_(reader),
        place_(place),
        layout_(layout),
        dtype_(place.declared != nullptr ? place.declared->dtype : DType::kFloat32),
        size_(ByteSize(dtype_)),
        fixed_(place.declared != nullptr && place.declared->shape.IsStatic()) {}

  Status Read(TensorView* view) {
    if (!Plan() || !(rank_ == 0 ? Element() : Array(0))) return std::move(error_);
    Shape shape;
    for (int i = 0; i < rank_; ++i) shape.push_back(Length(i));
    if (!Fits(shape)) return WrongShape();
    layout_.Shrink(base_ + used_);
    Layout::Place(*view, dtype_, shape, base_, used_);
    return Status::Ok();
  }

 private:
  bool Fail(Status status) {
    error_ = std::move(status);
    return false;
  }

  // The rank is the declared one, or the number of arrays that the text opens.
  bool Plan() {
    int shown = 0;
    JsonReader ahead = reader_;
    for (; ahead.Take('['); ahead.SkipSpace()) {
      if (place_.depth + ++shown <= layout_.limits().max_json_depth) continue;
      return Fail(ahead.Error("nested deeper than " + std::to_string(layout_.limits().max_json_depth)));
    }
    rank_ = place_.declared != nullptr ? place_.declared->shape.size() : shown;
    if (rank_ > kMaxDims) {
      return Fail({Code::kBadRequest, Where() + " has " + std::to_string(shown) + " dimensions; at most " +
                                          std::to_string(kMaxDims) + " are possible"});
    }
    lengths_.fill(-1);
    Status begun = layout_.Begin(dtype_, &base_);
    if (!begun.ok()) return Fail(std::move(begun));
    return !fixed_ || ReserveAll();
  }

  bool ReserveAll() {
    const auto bytes = TensorBytes(place_.declared->shape, dtype_);
    if (!bytes) return Fail(layout_.TooLarge());
    return AddRoom(*bytes);
  }

  bool AddRoom(std::size_t bytes) {
    Status grown = layout_.Grow(bytes);
    if (!grown.ok()) return Fail(std::move(grown));
    room_ += bytes;
    return true;
  }

  // Room for at least one more element; near the limit, for as many as it allows.
  bool MoreRoom() {
    if (fixed_) return Fail(WrongShape());
    const std::size_t left = layout_.limits().max_decoded_bytes - layout_.size();
    const std::size_t step = std::min(std::max(room_, kFirstRoom), left / size_ * size_);
    return step > 0 ? AddRoom(step) : Fail(layout_.TooLarge());
  }

  bool Array(int level) {
    if (!reader_.Take('[')) return Fail(NotAnArray());
    reader_.SkipSpace();
    std::int64_t count = 0;
    if (!reader_.Take(']')) {
      if (!Items(level, &count)) return false;
    }
    std::int64_t& length = lengths_[static_cast<std::size_t>(level)];
    if (length >= 0 && length != count) return Fail(WrongShape());
    length = count;
    return true;
  }

  // From the first element to the closing bracket.
  bool Items(int level, std::int64_t* count) {
    const bool leaf = level + 1 == rank_;
    for (;;) {
      if (leaf && dtype_ == DType::kFloat32 && Floats(count)) return true;
      if (!(leaf ? Element() : Array(level + 1))) return false;
      ++*count;
      reader_.SkipSpace();
      if (reader_.Take(']')) return true;
      if (!reader_.Take(',')) return Fail(reader_.Error("expected , or ]"));
      reader_.SkipSpace();
    }
  }

  // As many plain floats as stand here; true when the array's end was among them.
  bool Floats(std::int64_t* count) {
    const auto room = (room_ - used_) / sizeof(float);
    auto* out = reinterpret_cast<float*>(layout_.at(base_ + used_));
    const FloatRun run = ReadFloatRun(reader_.at(), reader_.end(), out, room);
    used_ += run.count * sizeof(float);
    *count += static_cast<std::int64_t>(run.count);
    reader_.Advance(run.next);
    return run.closed && reader_.Take(']');
  }

  bool Element() {
    if (room_ - used_ < size_ && !MoreRoom()) return false;
    switch (ReadScalar(reader_, dtype_, layout_.at(base_ + used_))) {
      case ScalarResult::kOk:
        used_ += size_;
        return true;
      case ScalarResult::kOutOfRange:
        return Fail(Value("is out of the range of"));
      case ScalarResult::kNotWhole:
        return Fail(Value("is not a whole number, as it has to be for"));
      case ScalarResult::kOther:
        break;
    }
    return Fail(NotAnElement());
  }

  // A level below an empty array was never seen: whatever is declared there, or 0.
  std::int64_t Length(int level) const {
    const std::int64_t seen = lengths_[static_cast<std::size_t>(level)];
    if (seen >= 0) return seen;
    return place_.declared != nullptr ? std::max<std::int64_t>(place_.declared->shape[level], 0) : 0;
  }

  bool Fits(const Shape& shape) const {
    if (place_.declared != nullptr) return shape.Matches(place_.declared->shape);
    return std::ranges::none_of(shape.dims(), [](std::int64_t length) { return length == 0; });
  }

  std::string Where() const { return place_.name.empty() ? "the input" : "input \"" + std::string(place_.name) + '"'; }

  std::string Wanted() const {
    if (place_.declared == nullptr) return "a rectangular array of numbers";
    return std::string(DTypeName(dtype_)) + ' ' + place_.declared->shape.ToString();
  }

  Status Value(const std::string& what) const {
    return {Code::kBadRequest, Where() + ": the value at byte " + std::to_string(reader_.offset()) + ' ' + what + ' ' +
                                   DTypeName(dtype_) + "; expected " + Wanted()};
  }

  Status WrongKind(const char* kind) const {
    return {
        Code::kBadRequest,
        Where() + ": " + kind + " at byte " + std::to_string(reader_.offset()) + "; expected " + Wanted() +
            (IsFloating(dtype_) && *reader_.at() == '"' ? " (as strings only \"NaN\", \"Infinity\" and \"-Infinity\")"
                                                        : "")};
  }

  Status NotAnArray() const {
    const char c = reader_.Peek();
    if (StartsNumber(c)) return WrongShape();
    return Kind(c) != nullptr ? WrongKind(Kind(c)) : NoValue(c);
  }

  Status NotAnElement() const {
    const char c = reader_.Peek();
    if (c == '[') return WrongShape();
    if (JsonReader(reader_).TakeWord("-Infinity")) return NotFinite();
    if (StartsNumber(c)) return reader_.Error("not a number of RFC 8259");
    return Kind(c) != nullptr ? WrongKind(Kind(c)) : NoValue(c);
  }

  Status NoValue(char c) const { return c == 'N' || c == 'I' ? NotFinite() : reader_.Error("expected a value"); }

  // As Python's json writes them.
  Status NotFinite() const {
    return reader_.Error(
        "NaN and infinities are no JSON (floating inputs take the strings \"NaN\", \"Infinity\" and \"-Infinity\")");
  }

  Status WrongShape() const {
    const Shape shown = ShownShape(start_);
    if (place_.declared == nullptr) {
      return {Code::kBadRequest, Where() + ": ragged or empty at byte " + std::to_string(reader_.offset()) +
                                     "; expected a rectangular array, its first rows show " + shown.ToString()};
    }
    const bool several = shown.size() == rank_ + 1;
    return {Code::kBadRequest, Where() + ": expected " + Wanted() + ", got shape " + shown.ToString() +
                                   (several ? "; several samples go in {\"instances\": [...]}" : "")};
  }

  JsonReader& reader_;
  const JsonReader start_;
  const TensorPlace& place_;
  Layout& layout_;
  const DType dtype_;
  const std::size_t size_;
  const bool fixed_;  // the size is known before the first element
  int rank_ = 0;
  std::array<std::int64_t, kMaxDims> lengths_;
  std::size_t base_ = 0;
  std::size_t room_ = 0;  // bytes from base_ that may be written
  std::size_t used_ = 0;
  Status error_;
};

}  // namespace

Status ReadTensor(JsonReader& reader, const TensorPlace& place, Layout& layout, TensorView* view) {
  return TensorReader(reader, place, layout).Read(view);
}

}  // namespace sconce::codec
