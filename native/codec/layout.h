// Decoded tensors while their storage may still grow: offsets now, views at the end.
// Thread: belongs to one Decode call.
#pragma once

#include <cstring>
#include <vector>

#include "codec/codec.h"

namespace sconce::codec {

// Appends tensors to a task's storage under a byte limit.
class Layout {
 public:
  Layout(Task& task, const Limits& limits) : task_(task), limits_(limits) {}

  struct Slot {
    DType dtype = DType::kFloat32;
    Shape shape;
    std::size_t offset = 0;
    std::size_t bytes = 0;
    bool present = true;
  };

  // Aligns the end of the storage for a tensor of `dtype` and returns its offset.
  std::size_t Begin(DType dtype) {
    const std::size_t size = ByteSize(dtype);
    const std::size_t offset = (task_.storage.size() + size - 1) / size * size;
    task_.storage.Resize(offset);
    return offset;
  }

  // Room for `bytes` more after the current end, or the error that names the limit.
  Status Grow(std::size_t bytes) {
    const std::size_t size = task_.storage.size();
    if (bytes > limits_.max_decoded_bytes || size > limits_.max_decoded_bytes - bytes) return TooLarge();
    if (size + bytes > task_.storage.capacity()) {
      task_.storage.Reserve(std::max(size + bytes, task_.storage.capacity() * 2));
    }
    task_.storage.Resize(size + bytes);
    return Status::Ok();
  }

  std::byte* at(std::size_t offset) { return task_.storage.data() + offset; }
  std::size_t size() const { return task_.storage.size(); }
  void Shrink(std::size_t size) { task_.storage.Resize(size); }
  const Limits& limits() const { return limits_; }

  Status TooLarge() const {
    return {Code::kPayloadTooLarge, "the decoded tensors are over " + std::to_string(limits_.max_decoded_bytes) +
                                        " bytes; --max-request-size sets the limit"};
  }

  void AddRow(std::vector<Slot> slots) { rows_.push_back(std::move(slots)); }
  std::size_t rows() const { return rows_.size(); }
  void ReserveRows(std::size_t count) { rows_.reserve(count); }

  // Turns offsets into views: the storage does not move any more.
  void Finish() {
    task_.rows.clear();
    task_.rows.reserve(rows_.size());
    for (const auto& slots : rows_) {
      Row row;
      row.inputs.reserve(slots.size());
      for (const Slot& slot : slots) {
        row.inputs.push_back({slot.dtype, slot.shape, task_.storage.data() + slot.offset, slot.bytes, slot.present});
      }
      task_.rows.push_back(std::move(row));
    }
  }

 private:
  Task& task_;
  const Limits& limits_;
  std::vector<std::vector<Slot>> rows_;
};

}  // namespace sconce::codec
