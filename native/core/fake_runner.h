// A Runner for core's tests: answers each task with its cookie, fails those it is told to, and can be held at a gate.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/completion.h"
#include "core/model.h"
#include "core/mutex.h"
#include "core/runner.h"

namespace sconce::fake {

struct BatchSeen {
  std::vector<std::uint32_t> cookies;
  int threads = 0;  // of the scratch it ran with: tells a wide lane from a narrow one
  bool allow_rerun = false;
};

class Scratch : public RunnerScratch {
 public:
  explicit Scratch(int intra_op_threads) : threads(intra_op_threads) {}
  const int threads;
};

class FakeRunner : public Runner {
 public:
  std::set<std::uint32_t> guilty;                        // cookies that raise; set before use
  std::function<void(std::span<Task* const>)> on_batch;  // set before use
  std::atomic<int> spin_us{0};                           // CPU time a batch costs
  std::atomic<int> wide_spin_us{0};                      // and what it costs more with several threads
  std::function<void()> on_destroy;

  ~FakeRunner() override {
    if (on_destroy) on_destroy();
  }

  std::unique_ptr<RunnerScratch> NewScratch(int intra_op_threads) override {
    return std::make_unique<Scratch>(intra_op_threads);
  }

  void Run(std::span<Task* const> batch, RunnerScratch& scratch, bool allow_rerun) override {
    Record(batch, static_cast<Scratch&>(scratch).threads, allow_rerun);
    if (on_batch) on_batch(batch);
    Spin(spin_us + (static_cast<Scratch&>(scratch).threads > 1 ? wide_spin_us.load() : 0));
    bool raised = false;
    for (const Task* task : batch) raised = raised || guilty.contains(task->cookie);
    for (Task* task : batch) {
      if (guilty.contains(task->cookie) || (raised && !allow_rerun)) {
        task->status = Status(Code::kModelError, "raised");
      } else {
        task->answer.Append(&task->cookie, sizeof task->cookie);
      }
    }
  }

  // As a batch of one, seen with 0 threads.
  void Explain(Task& task) override {
    Task* const one = &task;
    Record({&one, 1}, 0, false);
    if (guilty.contains(task.cookie)) {
      task.status = Status(Code::kModelError, "raised");
    } else {
      task.answer.Append(&task.cookie, sizeof task.cookie);
    }
  }

  // While closed, batches wait inside Run and Explain.
  void CloseGate() {
    MutexLock lock(mutex_);
    open_ = false;
  }
  void OpenGate() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  // Lets `count` batches through the closed gate.
  void LetThrough(int count) {
    MutexLock lock(mutex_);
    passes_ += count;
    changed_.NotifyAll();
  }
  void WaitForBatches(std::size_t started) {
    MutexLock lock(mutex_);
    while (seen_.size() < started) changed_.Wait(mutex_);
  }
  std::vector<BatchSeen> Seen() {
    MutexLock lock(mutex_);
    return seen_;
  }
  std::vector<std::size_t> Sizes() {
    std::vector<std::size_t> sizes;
    for (const BatchSeen& batch : Seen()) sizes.push_back(batch.cookies.size());
    return sizes;
  }

 private:
  void Record(std::span<Task* const> batch, int threads, bool allow_rerun) {
    BatchSeen seen{.cookies = {}, .threads = threads, .allow_rerun = allow_rerun};
    for (const Task* task : batch) seen.cookies.push_back(task->cookie);
    MutexLock lock(mutex_);
    seen_.push_back(std::move(seen));
    changed_.NotifyAll();
    while (!open_ && passes_ == 0) changed_.Wait(mutex_);
    if (!open_) --passes_;
  }
  static void Spin(int us) {
    const std::int64_t until = ThreadCpuNs() + std::int64_t{1000} * us;
    while (us > 0 && ThreadCpuNs() < until) {
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<BatchSeen> seen_ GUARDED_BY(mutex_);
  bool open_ GUARDED_BY(mutex_) = true;
  int passes_ GUARDED_BY(mutex_) = 0;
};

// A completion queue whose owner can wait for answers.
class Sink {
 public:
  Sink() = default;
  ~Sink() { queue->Close(); }

  const std::shared_ptr<CompletionQueue> queue = std::make_shared<CompletionQueue>([this] {
    MutexLock lock(mutex_);
    ++wakes_;
    changed_.NotifyAll();
  });

  std::vector<TaskPtr> Wait(std::size_t count) {
    std::vector<TaskPtr> all;
    while (all.size() < count) {
      {
        MutexLock lock(mutex_);
        while (wakes_ == 0) changed_.Wait(mutex_);
        wakes_ = 0;
      }
      for (TaskPtr& task : queue->Drain()) all.push_back(std::move(task));
    }
    return all;
  }
  TaskPtr WaitOne() { return std::move(Wait(1).front()); }

 private:
  Mutex mutex_;
  CondVar changed_;
  int wakes_ GUARDED_BY(mutex_) = 0;
};

inline ModelConfig Config(std::uint32_t max_rows = 4) {
  ModelConfig config;
  config.name = "m";
  config.version = "1";
  config.signature.declared = true;
  config.signature.inputs = {{.name = "x", .dtype = DType::kFloat32, .shape = {4}, .optional = false}};
  config.max_batch_rows = max_rows;
  config.lanes = {{.intra_op_threads = 1, .wide = false}};
  config.latency_buckets = {0.001, 0.01, 0.1, 1};
  return config;
}

inline TaskPtr MakeTask(const std::shared_ptr<Model>& model, const Sink& sink, std::uint32_t cookie,
                        std::int64_t length = 4) {
  auto task = std::make_unique<Task>();
  task->model = model;
  task->sink = sink.queue;
  task->cookie = cookie;
  task->body_bytes = 10;
  task->enqueued_ns = MonotonicNs();
  Row row;
  row.inputs.push_back({.dtype = DType::kFloat32, .shape = {length}, .data = nullptr, .bytes = 0, .present = true});
  task->rows.push_back(std::move(row));
  return task;
}

inline std::uint32_t AnswerOf(const Task& task) {
  if (task.answer.size() != sizeof(std::uint32_t)) return ~std::uint32_t{0};
  return *reinterpret_cast<const std::uint32_t*>(task.answer.data());
}

}  // namespace sconce::fake
