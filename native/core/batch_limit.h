// How many rows of one model a device takes at once: what was configured, less after the device had not the memory,
// and back step by step. A size that failed is half of it from then on; after kQuietBatches batches without such a
// failure the limit doubles. A limit that fails again as soon as it was raised is raised ever later (each time after
// twice as many batches, kMaxQuietBatches at most), so that what can never fit is not tried at every hundredth batch.
// Thread: current() is one relaxed load; all methods from any lane.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/mutex.h"

namespace sconce {

class BatchLimit {
 public:
  static constexpr std::uint64_t kQuietBatches = 100;
  static constexpr std::uint64_t kMaxQuietBatches = 6400;

  explicit BatchLimit(std::uint32_t configured);

  std::uint32_t configured() const { return configured_; }
  std::uint32_t current() const { return current_.load(std::memory_order_relaxed); }
  bool lowered() const { return current() < configured_; }

  // `rows` at once did not fit.
  void OnOutOfMemory(std::uint32_t rows);
  // A batch ran.
  void OnSuccess();

 private:
  const std::uint32_t configured_;
  std::atomic<std::uint32_t> current_;
  Mutex mutex_;
  std::uint64_t quiet_ GUARDED_BY(mutex_) = 0;  // batches that ran since the last failure or raise
  std::uint64_t needed_ GUARDED_BY(mutex_) = kQuietBatches;
  bool raised_ GUARDED_BY(mutex_) = false;  // the last change was upward
};

}  // namespace sconce
