#include "core/batch_log.h"

#include <ctime>

#include "core/clock.h"

namespace sconce {

void BatchLog::Add(const LoggedBatch& batch, std::span<const std::int64_t> waits_ns) {
  MutexLock lock(mutex_);
  if (kept_.batches.size() >= capacity_ || kept_.waits_ns.size() + waits_ns.size() > capacity_) {
    ++kept_.left_out;
    return;
  }
  kept_.batches.push_back(batch);
  kept_.waits_ns.insert(kept_.waits_ns.end(), waits_ns.begin(), waits_ns.end());
}

TakenBatches BatchLog::Take() {
  MutexLock lock(mutex_);
  return std::exchange(kept_, {});
}

void BatchNote::Take(const std::shared_ptr<BatchLog>& log, std::uint32_t tag, std::span<Task* const> tasks,
                     std::int64_t start_ns, std::int64_t end_ns) {
  log_ = log;
  end_ns_ = end_ns;
  for (const Task* task : tasks) {
    if (task->status.ok()) waits_ns_.push_back(start_ns - task->enqueued_ns);
  }
  batch_ = {.tag = tag, .answered = static_cast<std::uint32_t>(waits_ns_.size()), .run_ns = end_ns - start_ns};
}

void BatchNote::Write() {
  batch_.ended_s = std::time(nullptr);
  batch_.outside_ns = MonotonicNs() - end_ns_;
  log_->Add(batch_, waits_ns_);
}

}  // namespace sconce
