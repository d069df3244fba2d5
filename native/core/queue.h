// The tasks that wait for one model's lanes: bounded, first in first out, batches taken by the policy.
// Thread: no lock of its own; the holder (Lanes) guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/batch_policy.h"
#include "core/task.h"

namespace sconce {

class TaskQueue {
 public:
  // The policy looks at no more than this many of the oldest tasks, so that a deep queue does not slow each batch.
  static constexpr std::size_t kWindow = 1024;

  explicit TaskQueue(std::size_t capacity) : capacity_(capacity) {}

  std::size_t size() const { return tasks_.size() - head_; }
  bool empty() const { return size() == 0; }
  bool full() const { return size() >= capacity_; }

  // `shape_key` is ShapeKey(*task). The caller has looked at full(); a task accepted before may go over the bound.
  void Push(TaskPtr task, std::uint64_t shape_key);

  // Moves the next batch to `batch`, and tasks that are expired or cancelled (status set) to `dropped`; both are
  // appended to. Nothing taken: wait_until_ns of the result says when to ask again.
  BatchDecision Take(const BatchLimits& limits, std::int64_t now_ns, std::vector<TaskPtr>& batch,
                     std::vector<TaskPtr>& dropped);

  // Only drops what is expired or cancelled, as Take does.
  void DropDead(std::int64_t now_ns, std::vector<TaskPtr>& dropped);

  // Moves everything to `out`, oldest first.
  void TakeAll(std::vector<TaskPtr>& out);

 private:
  std::span<const BatchCandidate> Window();
  void Extract(std::vector<TaskPtr>& batch, std::vector<TaskPtr>& dropped);
  void RemoveTaken(std::size_t count);

  const std::size_t capacity_;
  // Parallel arrays; the first head_ entries are spent. The policy reads its snapshot in place.
  std::vector<BatchCandidate> candidates_;
  std::vector<TaskPtr> tasks_;
  std::size_t head_ = 0;
  std::vector<Verdict> verdicts_;
};

}  // namespace sconce
