#include "codec/tensor_frame.h"

#include <bit>
#include <cstring>
#include <string>
#include <string_view>

#include "codec/check.h"

namespace sconce::codec {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are little-endian and read in place");

constexpr std::string_view kMagic = "SCTF";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kEntryBytes = 24;  // before sizes and name
constexpr std::size_t kNameAlign = 8;
constexpr std::size_t kDataAlign = 64;
constexpr auto kDTypes = static_cast<std::uint32_t>(DType::kFloat64) + 1;

struct Entry {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::string_view name;
  std::size_t bytes = 0;
};

Status Bad(const std::string& what) { return {Code::kBadRequest, "malformed tensor frame: " + what}; }

std::size_t AlignUp(std::size_t at, std::size_t align) { return (at + align - 1) / align * align; }

class FrameReader {
 public:
  FrameReader(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task)
      : body_(body), signature_(signature), layout_(layout), task_(task) {}

  Status Read() {
    if (Status s = Header(); !s.ok()) return s;
    task_.instances = rows_ > 1;
    task_.rows.reserve(rows_);
    for (std::uint32_t row = 0; row < rows_; ++row) {
      if (Status s = ReadRow(); !s.ok()) {
        return rows_ == 1 ? s : Status(s.code(), "sample " + std::to_string(row) + ": " + s.message());
      }
    }
    if (at_ != head_bytes_) return Bad("its entries end at byte " + std::to_string(at_) + ", its head does not");
    if (data_at_ != body_.size()) {
      return Bad(std::to_string(body_.size() - data_at_) + " bytes follow the last tensor");
    }
    return Status::Ok();
  }

 private:
  // The field at `offset`, which the caller knows to be inside the body.
  template <typename T>
  T Field(std::size_t offset) const {
    T value{};
    std::memcpy(&value, body_.data() + offset, sizeof value);
    return value;
  }

  Status Header() {
    if (body_.size() < kHeaderBytes) return Bad("shorter than its header");
    if (std::memcmp(body_.data(), kMagic.data(), kMagic.size()) != 0) return Bad("it does not begin with SCTF");
    const auto version = Field<std::uint32_t>(4);
    if (version != kVersion) return Bad("version " + std::to_string(version) + "; expected 1");
    rows_ = Field<std::uint32_t>(8);
    tensors_ = Field<std::uint32_t>(12);
    const auto head = Field<std::uint64_t>(16);
    if (rows_ == 0 || tensors_ == 0) return Bad("no tensors; expected at least one");
    if (rows_ > layout_.limits().max_instances) {
      return {Code::kBadRequest, std::to_string(rows_) + " samples, more than " +
                                     std::to_string(layout_.limits().max_instances) + kInstancesOption};
    }
    if (tensors_ > static_cast<std::uint32_t>(kMaxTensors)) {
      return {Code::kBadRequest,
              std::to_string(tensors_) + " tensors; at most " + std::to_string(kMaxTensors) + " are possible"};
    }
    if (head < kHeaderBytes || head > body_.size()) return Bad("its head ends outside of it");
    head_bytes_ = head;
    data_at_ = head_bytes_;
    // Before any row is made: this many entries are there.
    if (std::size_t{rows_} * tensors_ > (head_bytes_ - kHeaderBytes) / kEntryBytes) {
      return Bad("its head is too short for its tensors");
    }
    return Status::Ok();
  }

  Status ReadEntry(Entry* entry) {
    if (head_bytes_ - at_ < kEntryBytes) return Bad("its head ends inside an entry");
    const auto dtype = Field<std::uint32_t>(at_);
    const auto rank = Field<std::uint32_t>(at_ + 4);
    const auto name_bytes = Field<std::uint32_t>(at_ + 8);
    const auto bytes = Field<std::uint64_t>(at_ + 16);
    if (dtype >= kDTypes) return Bad("dtype " + std::to_string(dtype) + " is none");
    if (rank > static_cast<std::uint32_t>(kMaxDims)) {
      return {Code::kBadRequest, "a tensor of " + std::to_string(rank) + " dimensions; at most " +
                                     std::to_string(kMaxDims) + " are possible"};
    }
    if (name_bytes > static_cast<std::uint32_t>(kMaxNameBytes)) {
      return {Code::kBadRequest, "a tensor's name of " + std::to_string(name_bytes) + " bytes; at most " +
                                     std::to_string(kMaxNameBytes) + " are possible"};
    }
    const std::size_t sizes_at = at_ + kEntryBytes;
    const std::size_t name_at = sizes_at + rank * sizeof(std::int64_t);
    const std::size_t next = AlignUp(name_at + name_bytes, kNameAlign);
    if (next > head_bytes_) return Bad("its head ends inside an entry");
    entry->dtype = static_cast<DType>(dtype);
    for (std::size_t i = 0; i < rank; ++i) {
      entry->shape.push_back(Field<std::int64_t>(sizes_at + i * sizeof(std::int64_t)));
    }
    entry->name = {reinterpret_cast<const char*>(body_.data()) + name_at, name_bytes};
    at_ = next;
    return CheckBytes(*entry, bytes, &entry->bytes);
  }

  static Status CheckBytes(const Entry& entry, std::uint64_t said, std::size_t* bytes) {
    const auto needed = TensorBytes(entry.shape, entry.dtype);
    if (!needed) return Bad("shape " + entry.shape.ToString() + " is none");
    if (*needed != said) {
      return Bad(Describe(entry.dtype, entry.shape) + " is " + std::to_string(*needed) + " bytes of data, got " +
                 std::to_string(said));
    }
    *bytes = *needed;
    return Status::Ok();
  }

  Status ReadRow() {
    std::vector<TensorView>& views = layout_.AddRow(signature_.declared ? signature_.inputs.size() : tensors_);
    for (TensorView& view : views) view.present = false;
    for (std::uint32_t i = 0; i < tensors_; ++i) {
      Entry entry;
      if (Status s = ReadEntry(&entry); !s.ok()) return s;
      std::size_t index = i;
      if (Status s = signature_.declared ? FindInput(entry, &index) : CheckName(entry, i); !s.ok()) return s;
      if (views[index].present) {
        return {Code::kBadRequest, "two tensors for input \"" + signature_.inputs[index].name + '"'};
      }
      if (Status s = Copy(entry, &views[index]); !s.ok()) return s;
    }
    return CheckComplete(views);
  }

  // *index: the tensor's place; becomes the input's.
  Status FindInput(const Entry& entry, std::size_t* index) const {
    if (!entry.name.empty()) {
      const auto found = std::ranges::find(signature_.inputs, entry.name, &InputSpec::name);
      *index = static_cast<std::size_t>(found - signature_.inputs.begin());
    }
    if (*index >= signature_.inputs.size()) {
      return {Code::kBadRequest, entry.name.empty() ? std::to_string(tensors_) + " tensors for the model's " +
                                                          std::to_string(signature_.inputs.size()) + " inputs"
                                                    : "there is no input " + Shown(entry.name)};
    }
    const InputSpec& input = signature_.inputs[*index];
    if (entry.dtype == input.dtype && entry.shape.Matches(input.shape)) return Status::Ok();
    return {Code::kBadRequest, "input \"" + input.name + "\": expected " + Describe(input.dtype, input.shape) +
                                   ", got " + Describe(entry.dtype, entry.shape)};
  }

  // Nothing is declared: the first row's names are those of all; all tensors have one, or none has.
  Status CheckName(const Entry& entry, std::uint32_t index) {
    if (entry.bytes == 0) {
      return {Code::kBadRequest,
              "an empty tensor, shape " + entry.shape.ToString() + "; only a declared -1 dimension may be empty"};
    }
    if (task_.rows.size() == 1 && !entry.name.empty() && task_.names.size() == index) {
      if (!IsName(entry.name)) return {Code::kBadRequest, "a tensor's name has control characters"};
      if (std::ranges::find(task_.names, entry.name) != task_.names.end()) {
        return {Code::kBadRequest, "two tensors are called " + Shown(entry.name)};
      }
      task_.names.emplace_back(entry.name);
      return Status::Ok();
    }
    const std::string_view known = index < task_.names.size() ? std::string_view(task_.names[index]) : "";
    if (entry.name == known && (index < task_.names.size() || task_.names.empty())) return Status::Ok();
    return {Code::kBadRequest, "the tensors of one request have to be named in the same way; tensor " +
                                   std::to_string(index) + " is called " + Shown(entry.name)};
  }

  Status Copy(const Entry& entry, TensorView* view) {
    const std::size_t from = AlignUp(data_at_, kDataAlign);
    if (from > body_.size() || entry.bytes > body_.size() - from) return Bad("it ends inside a tensor's data");
    data_at_ = from + entry.bytes;
    const std::span<const std::byte> data = body_.subspan(from, entry.bytes);
    if (Status s = CheckBools(entry.dtype, data); !s.ok()) return s;
    std::size_t offset = 0;
    if (Status s = layout_.Begin(entry.dtype, &offset); !s.ok()) return s;
    if (Status s = layout_.Grow(entry.bytes); !s.ok()) return s;
    if (!data.empty()) std::memcpy(layout_.at(offset), data.data(), data.size());
    Layout::Place(*view, entry.dtype, entry.shape, offset, entry.bytes);
    return Status::Ok();
  }

  Status CheckComplete(const std::vector<TensorView>& views) const {
    for (std::size_t i = 0; i < views.size(); ++i) {
      if (views[i].present || signature_.inputs[i].optional) continue;
      const InputSpec& input = signature_.inputs[i];
      return {Code::kBadRequest,
              "input \"" + input.name + "\" is missing; expected " + Describe(input.dtype, input.shape)};
    }
    return Status::Ok();
  }

  const std::span<const std::byte> body_;
  const Signature& signature_;
  Layout& layout_;
  Task& task_;
  std::uint32_t rows_ = 0;
  std::uint32_t tensors_ = 0;
  std::size_t head_bytes_ = 0;
  std::size_t at_ = kHeaderBytes;  // the next entry
  std::size_t data_at_ = 0;        // where the last tensor's data ended
};

}  // namespace

Status DecodeTensors(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task) {
  return FrameReader(body, signature, layout, task).Read();
}

}  // namespace sconce::codec
