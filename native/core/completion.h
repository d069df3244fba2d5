// Finished tasks on their way back to the environment (JavaScript thread) that sent them: many per wake-up.
// Thread: Push from any executor; Drain and Close from the owning environment.
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
  void PushMany(std::vector<TaskPtr> tasks);
  std::vector<TaskPtr> Drain();
  void Close();
  bool closed() const;

 private:
  mutable Mutex mutex_;
  std::vector<TaskPtr> ready_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  std::function<void()> wake_ GUARDED_BY(mutex_);
};

}  // namespace sconce
