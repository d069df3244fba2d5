#include "core/explain_queue.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

#include "core/clock.h"
#include "core/completion.h"
#include "core/model.h"
#include "core/outcome.h"

namespace sconce {

namespace {

constexpr int kNiceness = 10;  // of 19: gets about a tenth of a core that predictions want as well

// On Linux each thread has a priority of its own, and threads that it starts inherit it.
void StandBack() {
  pthread_setname_np(pthread_self(), "sconce-explain");
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
}

Status DrainingStatus() { return {Code::kDraining, "the server is shutting down"}; }

void Finish(TaskPtr task) {
  FinishTask(*task, MonotonicNs(), task->model->counters());
  const std::shared_ptr<CompletionQueue> sink = task->sink;
  sink->Push(std::move(task));
}

void RunOne(TaskPtr task) {
  const std::int64_t now_ns = MonotonicNs();
  if (EndIfDead(*task, now_ns)) return Finish(std::move(task));
  task->started_ns = now_ns;
  task->batch_rows = RowCount(*task);
  task->model->runner()->Explain(*task);
  Task* const one = task.get();
  const ModelConfig& config = task->model->config();
  BatchNote note;
  note.Begin(config.batch_log, config.tag, {&one, 1}, now_ns, MonotonicNs());
  Finish(std::move(task));
  note.Done();
}

}  // namespace

ExplainQueue::~ExplainQueue() {
  Close();
  std::thread thread;
  {
    MutexLock lock(mutex_);
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
}

void ExplainQueue::Close() {
  std::deque<TaskPtr> left;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    left.swap(waiting_);
    ready_.NotifyAll();
  }
  for (TaskPtr& task : left) {
    task->status = DrainingStatus();
    Finish(std::move(task));
  }
}

Status ExplainQueue::Submit(TaskPtr& task) {
  if (const char* wrong = WrongSetting(*task->explain); *wrong != '\0') return {Code::kBadRequest, wrong};
  std::deque<TaskPtr> dropped;
  Status status = Enqueue(task, dropped);
  for (TaskPtr& each : dropped) Finish(std::move(each));
  return status;
}

// A full queue is searched for tasks that nobody waits for any more.
Status ExplainQueue::Enqueue(TaskPtr& task, std::deque<TaskPtr>& dropped) {
  MutexLock lock(mutex_);
  if (closed_) return DrainingStatus();
  if (waiting_.size() >= capacity_) {
    const std::int64_t now_ns = MonotonicNs();
    for (TaskPtr& each : waiting_) {
      if (EndIfDead(*each, now_ns)) dropped.push_back(std::move(each));
    }
    std::erase(waiting_, nullptr);
  }
  if (waiting_.size() >= capacity_) {
    return {Code::kQueueFull,
            std::to_string(capacity_) + " explanations wait already, as many as the server keeps; try again later"};
  }
  try {
    if (!thread_.joinable()) thread_ = std::thread(&ExplainQueue::Main, this);
  } catch (const std::system_error&) {
    return {Code::kOutOfMemory, "the system gives no more threads"};
  }
  waiting_.push_back(std::move(task));
  ready_.NotifyOne();
  return Status::Ok();
}

void ExplainQueue::Main() {
  StandBack();
  for (;;) {
    TaskPtr task;
    {
      MutexLock lock(mutex_);
      running_ = false;
      while (waiting_.empty() && !closed_) ready_.Wait(mutex_);
      if (closed_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
      running_ = true;
    }
    RunOne(std::move(task));
  }
}

bool ExplainQueue::busy() const {
  MutexLock lock(mutex_);
  return running_ || !waiting_.empty();
}

}  // namespace sconce
