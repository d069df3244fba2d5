// Decoded tensors while their storage may still grow: the rows' views hold offsets until Finish makes them pointers.
// Rows go straight into the task, so that a task that is used again keeps its vectors.
// Thread: belongs to one Decode call.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "codec/codec.h"

namespace sconce::codec {

// Ends the words of an error about max_instances.
inline constexpr char kInstancesOption[] = "; --max-instances or the model's sconce.maxInstances sets the limit";

class Layout {
 public:
  Layout(Task& task, const Limits& limits) : task_(task), limits_(limits) {}

  const Limits& limits() const { return limits_; }
  std::size_t size() const { return task_.storage.size(); }
  std::byte* at(std::size_t offset) { return task_.storage.data() + offset; }
  void Shrink(std::size_t size) { task_.storage.Resize(size); }

  // Aligns the end of the storage for a tensor of `dtype` and returns it. Rows of equal shape stay back to back.
  // Fails only past the limit.
  Status Begin(DType dtype, std::size_t* offset) {
    const std::size_t align = ByteSize(dtype);
    *offset = (size() + align - 1) / align * align;
    return Grow(*offset - size());
  }

  // Room for `bytes` more after the current end (not initialised), or the error that names the limit.
  Status Grow(std::size_t bytes) {
    if (bytes > limits_.max_decoded_bytes || size() > limits_.max_decoded_bytes - bytes) return TooLarge();
    const std::size_t wanted = size() + bytes;
    const std::size_t capacity = task_.storage.capacity();
    if (wanted > capacity) {
      task_.storage.Reserve(std::max(wanted, std::min(capacity * 2, limits_.max_decoded_bytes)));
    }
    task_.storage.Resize(wanted);
    return Status::Ok();
  }

  Status TooLarge() const {
    return {Code::kPayloadTooLarge, "the decoded tensors are over " + std::to_string(limits_.max_decoded_bytes) +
                                        " bytes; --max-request-size sets the limit"};
  }

  std::vector<TensorView>& AddRow(std::size_t inputs) {
    std::vector<TensorView>& views = task_.rows.emplace_back().inputs;
    views.resize(inputs);
    return views;
  }

  static void Place(TensorView& view, DType dtype, const Shape& shape, std::size_t offset, std::size_t bytes) {
    view = {dtype, shape, reinterpret_cast<const std::byte*>(offset), bytes, true};
  }

  // Offsets become pointers: the storage does not move any more.
  void Finish() {
    for (Row& row : task_.rows) {
      for (TensorView& view : row.inputs) {
        if (view.present) view.data = task_.storage.data() + reinterpret_cast<std::uintptr_t>(view.data);
      }
    }
  }

 private:
  Task& task_;
  const Limits& limits_;
};

}  // namespace sconce::codec
