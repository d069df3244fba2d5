// Finished tasks on their way back to the environment (JavaScript thread) that sent them: many per wake-up.
// Thread: Push from any executor; Drain and Close from the owning environment. Once Close has returned, `wake` is not
// called any more and not running, so what it refers to may go away.
#pragma once

#include <functional>
#include <vector>

#include "core/mutex.h"
#include "core/task.h"

namespace sconce {

class CompletionQueue {
 public:
  // `wake` is called (from any thread, outside the lock) when the queue turns non-empty.
  explicit CompletionQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  // After Close the task is destroyed here: its client is gone with its environment.
  void Push(TaskPtr task);
  // Takes all of `tasks` and leaves it empty with its capacity, so that an executor can fill it again.
  void PushMany(std::vector<TaskPtr>& tasks);
  std::vector<TaskPtr> Drain();
  void Close();
  bool closed() const;

 private:
  void Wake() EXCLUDES(mutex_);

  mutable Mutex mutex_;
  CondVar woken_;
  std::vector<TaskPtr> ready_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  int waking_ GUARDED_BY(mutex_) = 0;  // threads inside wake_
  const std::function<void()> wake_;
};

}  // namespace sconce
