// Explanations of all models wait here for one thread that runs them at low priority: each takes many runs of a model,
// and predictions go first.
// Thread: any. The destructor closes, lets what runs come to its end, and joins.
#pragma once

#include <cstddef>
#include <deque>
#include <thread>

#include "core/mutex.h"
#include "core/status.h"
#include "core/task.h"

namespace sconce {

class ExplainQueue {
 public:
  explicit ExplainQueue(std::size_t capacity) : capacity_(capacity) {}
  ~ExplainQueue();
  ExplainQueue(const ExplainQueue&) = delete;
  ExplainQueue& operator=(const ExplainQueue&) = delete;

  // Takes a task with `explain`, a model and a sink. The first one starts the thread. kBadRequest (a setting makes no
  // sense), kQueueFull, kOutOfMemory (no thread to be had): the task is left with the caller.
  Status Submit(TaskPtr& task) EXCLUDES(mutex_);

  // Ends what waits, and takes nothing more; what runs goes on. Idempotent.
  void Close() EXCLUDES(mutex_);

  bool busy() const EXCLUDES(mutex_);  // one waits or runs

 private:
  Status Enqueue(TaskPtr& task, std::deque<TaskPtr>& dropped) EXCLUDES(mutex_);
  void Main();

  const std::size_t capacity_;
  mutable Mutex mutex_;
  CondVar ready_;
  std::deque<TaskPtr> waiting_ GUARDED_BY(mutex_);
  bool running_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace sconce
