#include "core/task.h"

#include <algorithm>

namespace sconce {

namespace {

bool SameView(const TensorView& a, const TensorView& b) {
  return a.present == b.present && (!a.present || (a.dtype == b.dtype && a.shape == b.shape));
}

// One step of a 64-bit mix (the constant is 2^64 divided by the golden ratio).
std::uint64_t Mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
  return hash;
}

}  // namespace

bool SameShape(const Row& a, const Row& b) { return std::ranges::equal(a.inputs, b.inputs, SameView); }

bool UniformRows(const Task& task) {
  for (std::size_t i = 1; i < task.rows.size(); ++i) {
    if (!SameShape(task.rows[0], task.rows[i])) return false;
  }
  return true;
}

bool CanShareBatch(const Task& a, const Task& b) {
  if (a.is_image || b.is_image) return a.is_image == b.is_image && a.image.channels == b.image.channels;
  if (a.rows.empty() || b.rows.empty() || !SameShape(a.rows[0], b.rows[0]) || a.names != b.names) return false;
  return UniformRows(a) && UniformRows(b);
}

std::uint32_t RowCount(const Task& task) {
  return task.rows.empty() ? 1 : static_cast<std::uint32_t>(task.rows.size());
}

std::uint64_t ShapeKey(const Task& task) {
  if (task.is_image) return Mix(1, static_cast<std::uint64_t>(task.image.channels));
  std::uint64_t key = 0;
  if (task.rows.empty()) return key;
  for (const TensorView& view : task.rows[0].inputs) {
    key = Mix(key, view.present ? static_cast<std::uint64_t>(view.dtype) : 0xFF);
    if (!view.present) continue;
    for (const std::int64_t dim : view.shape.dims()) key = Mix(key, static_cast<std::uint64_t>(dim));
  }
  return key;
}

}  // namespace sconce
