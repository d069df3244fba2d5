// A model's queue and the threads that run its batches. While one batch runs the next one gathers; a lane that becomes
// idle takes what waits at once (or after maxBatchDelay, when the model sets it).
//
// No wake-up is lost: whenever tasks wait and the plan lets some lane start, one such lane is awake, signalled, or in a
// timed wait. Each event that changes the plan (a task arrives, a batch is taken, a batch ends, a signalled lane finds
// that another one is to run) ends with SignalNext under the lock.
//
// Resize changes how many narrow lanes there are. A lane that is too many is "retired": it finishes its batch and ends.
// When all are retired they first empty the queue, so nothing that was accepted is lost.
// Thread: Submit, Resize, Stop and the figures from anywhere; Resize and Stop's joining part not from a lane.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "core/executor.h"
#include "core/lane_plan.h"
#include "core/lone_judge.h"
#include "core/model.h"
#include "core/mutex.h"
#include "core/queue.h"
#include "core/settle.h"

namespace sconce {

class Lanes {
 public:
  // The referred objects outlive the lanes. Throws std::system_error when a thread cannot be started.
  Lanes(const ModelConfig& config, Runner& runner, Counters& counters, ExecutorJudge& judge);
  ~Lanes();

  // On kQueueFull and kNotReady the task is left with the caller. A task that was accepted before (a hand-over) is not
  // refused for a full queue.
  Status Submit(TaskPtr& task, bool accepted_before);

  // See Model::Resize. Waits for no batch.
  Status Resize(int instances);

  // Refuses new tasks and fails the waiting ones; running batches go on.
  void Close();
  // Close, then waits for the lanes. Idempotent.
  void Stop();

  bool OnLaneThread() const;
  bool refusing() const { return refusing_.load(std::memory_order_relaxed); }  // closed, or without instances
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }    // Stop has joined every lane
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  std::size_t in_flight() const;  // waiting and running
  int instances() const;
  int running() const;  // instances with a lane whose thread has not ended

 private:
  struct Lane {
    LaneSpec spec;
    CondVar wake;
    std::thread thread;    // under join_mutex_
    bool retired = false;  // under mutex_, as the next
    bool exited = true;    // its thread has done its last work, or was never started
  };
  struct Work {  // what a lane holds outside the lock; vectors keep their capacity
    std::vector<TaskPtr> batch;
    std::vector<TaskPtr> dropped;
    std::vector<Task*> tasks;
    std::int64_t run_ns = 0;
    std::int64_t end_ns = 0;
    bool lone = false;        // see LanePlan
    std::uint64_t taken = 0;  // Lanes::taken_ right after it was taken
  };

  void Loop(std::size_t self, Lane& lane);
  // Starts the threads of these lanes; under join_mutex_.
  Status StartLanes(const std::vector<std::size_t>& which) REQUIRES(join_mutex_) EXCLUDES(mutex_);
  void GiveUp(std::span<const std::size_t> unstarted) EXCLUDES(mutex_);
  void AddLane(const LaneSpec& spec) REQUIRES(mutex_);
  bool Counted(std::size_t lane) const REQUIRES(mutex_);
  int PerInstance() const;  // counted lanes that make one instance
  void Retire(std::size_t lane) REQUIRES(mutex_);
  // True when the lane has to be started.
  bool Revive(std::size_t lane) REQUIRES(mutex_);
  void Keep(bool running, int& serving, std::vector<std::size_t>& start) REQUIRES(mutex_);
  std::vector<std::size_t> Arrange() REQUIRES(mutex_);
  bool MayLeave(std::size_t self) const REQUIRES(mutex_);
  void Leave(std::size_t self) REQUIRES(mutex_);
  bool Takes(bool accepted_before) const REQUIRES(mutex_);
  // Blocks until there is work for this lane; false when the lanes are closed.
  bool Next(std::size_t self, Work& work);
  bool TryTake(std::size_t self, Work& work, std::int64_t& wait_until_ns) REQUIRES(mutex_);
  BatchLimits Limits(std::size_t self, const LanePlan& plan, std::int64_t now_ns) const REQUIRES(mutex_);
  std::int64_t SettleUntil(std::size_t self, std::int64_t now_ns) const REQUIRES(mutex_);
  std::uint32_t Alike(std::size_t self) const REQUIRES(mutex_);
  LaneDemand Demand(std::int64_t now_ns) const REQUIRES(mutex_);
  void SignalNext() REQUIRES(mutex_);
  CondVar* NextToWake() REQUIRES(mutex_);
  void MakeRoom(std::int64_t now_ns, std::vector<TaskPtr>& dropped) REQUIRES(mutex_);
  void Run(const LaneSpec& spec, Work& work, RunnerScratch& scratch);
  void Complete(std::vector<TaskPtr>& tasks, std::int64_t now_ns);

  const ModelConfig& config_;
  Runner& runner_;
  Counters& counters_;
  ExecutorJudge& judge_;
  int cores_ = 1;

  Mutex join_mutex_;  // taken before mutex_: lanes are started and joined by one thread at a time
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Lane>> lanes_ GUARDED_BY(mutex_);  // only grows; changed under join_mutex_ too
  int target_ GUARDED_BY(mutex_) = 0;                            // narrow lanes wanted
  TaskQueue queue_ GUARDED_BY(mutex_);
  std::vector<LaneState> states_ GUARDED_BY(mutex_);
  LoneJudge lone_judge_ GUARDED_BY(mutex_);
  Settling settling_ GUARDED_BY(mutex_);
  std::uint64_t taken_ GUARDED_BY(mutex_) = 0;        // batches that lanes have taken
  std::vector<std::size_t> held_ GUARDED_BY(mutex_);  // tasks each lane has taken and not finished
  std::int64_t swept_ns_ GUARDED_BY(mutex_) = 0;      // when a full queue was last searched for dead tasks
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::atomic<std::size_t> waiting_{0};  // queue_.size(), for readers without the lock
  std::atomic<bool> refusing_{false};
  std::atomic<bool> stopped_{false};
};

}  // namespace sconce
