#include "codec/json_tensor.h"

#include <cmath>
#include <limits>
#include <string>

#include "codec/float_text.h"
#include "codec/half.h"

namespace sconce::codec {
namespace {

bool IsFloating(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

// What stands at the reader, for messages.
const char* Kind(char c) {
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
    case '\0':
      return "the end of the text";
    default:
      return "a number";
  }
}

class TensorReader {
 public:
  TensorReader(JsonReader& reader, const InputSpec* declared, std::string_view where, Layout& layout)
      : reader_(reader),
        declared_(declared),
        where_(where),
        layout_(layout),
        dtype_(declared != nullptr ? declared->dtype : DType::kFloat32),
        size_(ByteSize(dtype_)) {}

  Status Read(Layout::Slot* slot) {
    start_ = reader_;
    if (Status s = PlanRank(); !s.ok()) return s;
    slot->offset = layout_.Begin(dtype_);
    if (declared_ != nullptr && declared_->shape.IsStatic()) {
      if (Status s = ReserveStatic(); !s.ok()) return s;
    }
    if (Status s = rank_ == 0 ? Element() : Array(0); !s.ok()) return s;
    for (int i = 0; i < rank_; ++i) slot->shape.push_back(dims_[i] < 0 ? 0 : dims_[i]);
    if (declared_ != nullptr && !slot->shape.Matches(declared_->shape)) return ShapeError();
    slot->dtype = dtype_;
    slot->bytes = used_;
    layout_.Shrink(slot->offset + used_);
    return Status::Ok();
  }

 private:
  // The rank is the declared one, or the number of brackets that open the text.
  Status PlanRank() {
    if (declared_ != nullptr) {
      rank_ = declared_->shape.size();
    } else {
      JsonReader ahead = reader_;
      for (rank_ = 0; ahead.Take('['); ++rank_) ahead.SkipSpace();
      if (rank_ > kMaxDims) return reader_.Error("more than " + std::to_string(kMaxDims) + " dimensions");
    }
    for (int i = 0; i < rank_; ++i) dims_.push_back(-1);
    return Status::Ok();
  }

  Status ReserveStatic() {
    const auto bytes = TensorBytes(declared_->shape, dtype_);
    if (!bytes) return layout_.TooLarge();
    const std::size_t offset = layout_.size();
    if (Status s = layout_.Grow(*bytes); !s.ok()) return s;
    base_ = offset;
    room_ = *bytes;
    return Status::Ok();
  }

  std::byte* Next() { return layout_.at(base_ + used_); }

  Status MakeRoom() {
    if (room_ == 0) base_ = layout_.size();
    const std::size_t more = std::max<std::size_t>(room_, 256);
    const std::size_t left =
        layout_.limits().max_decoded_bytes - std::min(layout_.limits().max_decoded_bytes, layout_.size());
    if (left < size_) return layout_.TooLarge();
    const std::size_t step = std::min(more, left / size_ * size_);
    if (Status s = layout_.Grow(step); !s.ok()) return s;
    room_ += step;
    return Status::Ok();
  }

  // An array at nesting level `level`; recursion is bounded by the rank, at most kMaxDims.
  Status Array(int level) {
    if (!reader_.Take('[')) return Unexpected();
    std::int64_t count = 0;
    reader_.SkipSpace();
    if (!reader_.Take(']')) {
      const bool leaf = level + 1 == rank_;
      for (;;) {
        if (Status s = leaf ? Element() : Array(level + 1); !s.ok()) return s;
        ++count;
        reader_.SkipSpace();
        if (reader_.Take(',')) {
          reader_.SkipSpace();
          continue;
        }
        if (reader_.Take(']')) break;
        return reader_.Error("expected , or ]");
      }
    }
    if (dims_[level] >= 0 && dims_[level] != count) return ShapeError();
    dims_[level] = count;
    return Status::Ok();
  }

  Status Element() {
    if (room_ - used_ < size_) {
      if (declared_ != nullptr && declared_->shape.IsStatic()) return ShapeError();
      if (Status s = MakeRoom(); !s.ok()) return s;
    }
    Status s = dtype_ == DType::kFloat32 ? Float32() : Other();
    used_ += size_;
    return s;
  }

  Status Float32() {
    float value;
    const char* next = nullptr;
    const NumberResult result = ReadFloat(reader_.at(), reader_.end(), &value, &next);
    if (result == NumberResult::kOk) {
      std::memcpy(Next(), &value, sizeof value);
      reader_.Advance(next);
      return Status::Ok();
    }
    if (result == NumberResult::kOutOfRange) return OutOfRange();
    double special;
    if (!Special(&special)) return Unexpected();
    value = static_cast<float>(special);
    std::memcpy(Next(), &value, sizeof value);
    return Status::Ok();
  }

  // "NaN", "Infinity" and "-Infinity", the Protobuf JSON mapping.
  bool Special(double* value) {
    if (reader_.TakeWord("\"NaN\"")) {
      *value = std::numeric_limits<double>::quiet_NaN();
    } else if (reader_.TakeWord("\"Infinity\"")) {
      *value = std::numeric_limits<double>::infinity();
    } else if (reader_.TakeWord("\"-Infinity\"")) {
      *value = -std::numeric_limits<double>::infinity();
    } else {
      return false;
    }
    return true;
  }

  Status Other() {
    if (dtype_ == DType::kBool) return Bool();
    return IsFloating(dtype_) ? Floating() : Integer();
  }

  Status Floating() {
    if (dtype_ == DType::kFloat64) {
      double value;
      const char* next = nullptr;
      const NumberResult result = ReadDouble(reader_.at(), reader_.end(), &value, &next);
      if (result == NumberResult::kOutOfRange) return OutOfRange();
      if (result == NumberResult::kOk) {
        reader_.Advance(next);
      } else if (!Special(&value)) {
        return Unexpected();
      }
      std::memcpy(Next(), &value, sizeof value);
      return Status::Ok();
    }
    float value;
    const char* next = nullptr;
    double special = 0;
    const NumberResult result = ReadFloat(reader_.at(), reader_.end(), &value, &next);
    if (result == NumberResult::kOutOfRange) return OutOfRange();
    const bool finite = result == NumberResult::kOk;
    if (!finite && !Special(&special)) return Unexpected();
    if (!finite) value = static_cast<float>(special);
    const std::uint16_t half = dtype_ == DType::kFloat16 ? FloatToHalf(value) : FloatToBFloat16(value);
    const float back = dtype_ == DType::kFloat16 ? HalfToFloat(half) : BFloat16ToFloat(half);
    if (finite && std::isinf(back)) return OutOfRange();
    if (finite) reader_.Advance(next);
    std::memcpy(Next(), &half, sizeof half);
    return Status::Ok();
  }

  Status Bool() {
    std::uint8_t value = 0;
    if (reader_.TakeWord("true")) {
      value = 1;
    } else if (!reader_.TakeWord("false")) {
      std::int64_t number = 0;
      const char* next = nullptr;
      if (ReadInt64(reader_.at(), reader_.end(), &number, &next) != NumberResult::kOk) return Unexpected();
      if (number != 0 && number != 1) return OutOfRange();
      reader_.Advance(next);
      value = static_cast<std::uint8_t>(number);
    }
    std::memcpy(Next(), &value, 1);
    return Status::Ok();
  }

  template <typename T>
  Status Store(std::int64_t value, const char* next) {
    if (value < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
        value > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
      return OutOfRange();
    }
    const T narrow = static_cast<T>(value);
    std::memcpy(Next(), &narrow, sizeof narrow);
    reader_.Advance(next);
    return Status::Ok();
  }

  Status Integer() {
    std::int64_t value = 0;
    const char* next = nullptr;
    const NumberResult result = ReadInt64(reader_.at(), reader_.end(), &value, &next);
    if (result == NumberResult::kOutOfRange) return OutOfRange();
    if (result == NumberResult::kNotANumber) {
      return next != reader_.at() ? At("is not a whole number") : Unexpected();
    }
    switch (dtype_) {
      case DType::kUint8:
        return Store<std::uint8_t>(value, next);
      case DType::kInt8:
        return Store<std::int8_t>(value, next);
      case DType::kInt16:
        return Store<std::int16_t>(value, next);
      case DType::kInt32:
        return Store<std::int32_t>(value, next);
      default:
        return Store<std::int64_t>(value, next);
    }
  }

  Status At(const std::string& what) const {
    return {Code::kBadRequest, std::string(where_) + ": the value at byte " + std::to_string(reader_.offset()) + " " +
                                   what + "; expected " + DTypeName(dtype_)};
  }
  Status OutOfRange() const { return At("is out of range"); }

  // A token that cannot stand here: either the nesting differs from the declared shape or it is no number at all.
  Status Unexpected() const {
    const char c = reader_.Peek();
    if (declared_ != nullptr && (c == '[' || c == '-' || (c >= '0' && c <= '9'))) return ShapeError();
    if (declared_ == nullptr && (c == '[' || (c >= '0' && c <= '9'))) {
      return {Code::kBadRequest, std::string(where_) + ": ragged nesting at byte " + std::to_string(reader_.offset()) +
                                     "; expected a rectangular array"};
    }
    if (c == '\0' || c == ']' || c == ',' || c == ':' || c == '}') {
      return reader_.Error(std::string("expected a value (") + std::string(where_) + ")");
    }
    if (c != '{' && c != '"' && c != 't' && c != 'f' && c != 'n') {
      return reader_.Error(std::string("not a JSON value (") + std::string(where_) + ")");
    }
    return {Code::kBadRequest, std::string(where_) + ": " + Kind(c) + " at byte " + std::to_string(reader_.offset()) +
                                   "; expected " + DTypeName(dtype_)};
  }

  // What the text's shape is, read off its first elements and the counts at each level.
  Shape GotShape() const {
    Shape got;
    JsonReader ahead = start_;
    ahead.SkipSpace();
    while (got.size() < kMaxDims && ahead.Peek() == '[') {
      got.push_back(CountElements(ahead));
      ahead.Take('[');
      ahead.SkipSpace();
    }
    return got;
  }

  static std::int64_t CountElements(JsonReader at) {
    std::int64_t depth = 0;
    std::int64_t commas = 0;
    bool any = false;
    for (; !at.AtEnd(); at.Advance(at.at() + 1)) {
      const char c = at.Peek();
      if (c == '[') {
        any = any || depth == 1;
        ++depth;
      } else if (c == ']') {
        if (--depth == 0) break;
      } else if (c == ',') {
        commas += depth == 1;
      } else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
        any = true;
      }
    }
    return any ? commas + 1 : 0;
  }

  Status ShapeError() const {
    const std::string expected = declared_ != nullptr ? declared_->shape.ToString() : "a rectangular array";
    return {Code::kBadRequest, std::string(where_) + ": expected shape " + expected + ", got " + GotShape().ToString() +
                                   (declared_ != nullptr ? "; several samples go in {\"instances\": [...]}" : "")};
  }

  JsonReader& reader_;
  JsonReader start_{{}};
  const InputSpec* declared_;
  std::string_view where_;
  Layout& layout_;
  DType dtype_;
  std::size_t size_;
  int rank_ = 0;
  Shape dims_;
  std::size_t base_ = 0;
  std::size_t room_ = 0;
  std::size_t used_ = 0;
};

}  // namespace

Status ReadTensor(JsonReader& reader, const InputSpec* declared, std::string_view where, Layout& layout,
                  Layout::Slot* slot) {
  return TensorReader(reader, declared, where, layout).Read(slot);
}

}  // namespace sconce::codec
