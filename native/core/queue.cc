#include "core/queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/outcome.h"

namespace sconce {

namespace {

constexpr std::size_t kSpentWorthMoving = 64;

}  // namespace

void TaskQueue::Push(TaskPtr task, std::uint64_t shape_key) {
  candidates_.push_back({.shape_key = shape_key,
                         .rows = RowCount(*task),
                         .enqueued_ns = task->enqueued_ns,
                         .deadline_ns = task->deadline_ns,
                         .cancelled = false});
  tasks_.push_back(std::move(task));
}

std::span<const BatchCandidate> TaskQueue::Window() {
  const std::size_t count = std::min(size(), kWindow);
  for (std::size_t i = head_; i < head_ + count; ++i) candidates_[i].cancelled = tasks_[i]->IsCancelled();
  verdicts_.resize(count);
  return {candidates_.data() + head_, count};
}

BatchDecision TaskQueue::Take(const BatchLimits& limits, std::int64_t now_ns, std::vector<TaskPtr>& batch,
                              std::vector<TaskPtr>& dropped) {
  const std::size_t before = batch.size();
  const std::span<const BatchCandidate> window = Window();  // also sizes verdicts_
  BatchDecision decision = ChooseBatch(window, limits, now_ns, verdicts_);
  Extract(batch, dropped);
  decision.take = static_cast<std::uint32_t>(batch.size() - before);
  return decision;
}

void TaskQueue::DropDead(std::int64_t now_ns, std::vector<TaskPtr>& dropped) {
  std::vector<TaskPtr> none;
  const std::span<const BatchCandidate> window = Window();
  ChooseBatch(window, {}, now_ns, verdicts_);
  std::ranges::replace(verdicts_, Verdict::kTake, Verdict::kLeave);
  Extract(none, dropped);
}

void TaskQueue::TakeAll(std::vector<TaskPtr>& out) {
  out.insert(out.end(), std::make_move_iterator(tasks_.begin() + static_cast<std::ptrdiff_t>(head_)),
             std::make_move_iterator(tasks_.end()));
  tasks_.clear();
  candidates_.clear();
  head_ = 0;
}

// Moves what the verdicts say. Keys are hashes: the tasks themselves have the last word on sharing a batch.
void TaskQueue::Extract(std::vector<TaskPtr>& batch, std::vector<TaskPtr>& dropped) {
  const Task* first = nullptr;
  std::size_t end = 0;  // one past the last index that goes
  for (std::size_t i = 0; i < verdicts_.size(); ++i) {
    TaskPtr& task = tasks_[head_ + i];
    if (verdicts_[i] == Verdict::kTake && first != nullptr && !CanShareBatch(*first, *task)) {
      verdicts_[i] = Verdict::kLeave;
    }
    if (verdicts_[i] == Verdict::kLeave) continue;
    end = i + 1;
    if (verdicts_[i] == Verdict::kTake) {
      if (first == nullptr) first = task.get();
      batch.push_back(std::move(task));
      continue;
    }
    task->status = verdicts_[i] == Verdict::kExpired ? DeadlineStatus(*task) : CancelledStatus();
    dropped.push_back(std::move(task));
  }
  RemoveTaken(end);
}

// Of the oldest `count` entries keeps those that stay, in order, next to the younger ones.
void TaskQueue::RemoveTaken(std::size_t count) {
  std::size_t to = head_ + count;
  for (std::size_t i = count; i-- > 0;) {
    if (verdicts_[i] != Verdict::kLeave) continue;
    --to;
    if (to == head_ + i) continue;
    tasks_[to] = std::move(tasks_[head_ + i]);
    candidates_[to] = candidates_[head_ + i];
  }
  head_ = to;
  if (head_ == tasks_.size() || (head_ >= kSpentWorthMoving && head_ * 2 >= tasks_.size())) {
    tasks_.erase(tasks_.begin(), tasks_.begin() + static_cast<std::ptrdiff_t>(head_));
    candidates_.erase(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

}  // namespace sconce
