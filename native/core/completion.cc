#include "core/completion.h"

#include <iterator>
#include <utility>

namespace sconce {

void CompletionQueue::Push(TaskPtr task) {
  {
    MutexLock lock(mutex_);
    if (closed_) return;  // `task` is destroyed after the lock is released: it is a parameter
    ready_.push_back(std::move(task));
    if (ready_.size() > 1) return;
    ++waking_;
  }
  Wake();
}

void CompletionQueue::PushMany(std::vector<TaskPtr>& tasks) {
  if (tasks.empty()) return;
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (!closed_) {
      wake = ready_.empty();  // otherwise the owner has not drained since the last wake-up
      ready_.insert(ready_.end(), std::make_move_iterator(tasks.begin()), std::make_move_iterator(tasks.end()));
    }
    if (wake) ++waking_;
  }
  tasks.clear();  // outside the lock: a task may hold the last pin of its model
  if (wake) Wake();
}

void CompletionQueue::Wake() {
  wake_();
  MutexLock lock(mutex_);
  if (--waking_ == 0) woken_.NotifyAll();
}

std::vector<TaskPtr> CompletionQueue::Drain() {
  MutexLock lock(mutex_);
  return std::exchange(ready_, {});
}

void CompletionQueue::Close() {
  std::vector<TaskPtr> dropped;
  MutexLock lock(mutex_);
  closed_ = true;
  dropped = std::exchange(ready_, {});
  while (waking_ > 0) woken_.Wait(mutex_);
}

bool CompletionQueue::closed() const {
  MutexLock lock(mutex_);
  return closed_;
}

}  // namespace sconce
