#include "core/lanes.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "core/completion.h"
#include "core/outcome.h"

namespace sconce {

namespace {

constexpr std::int64_t kSweepEveryNs = 1'000'000;

thread_local const Lanes* lanes_of_this_thread = nullptr;

// A stateful model has one lane, the widest: batches run one after the other. No lane given means one narrow lane.
std::vector<LaneSpec> LaneSpecs(const ModelConfig& config) {
  std::vector<LaneSpec> specs = config.lanes;
  if (specs.empty()) specs.emplace_back();
  if (!config.stateful) return specs;
  const auto by_threads = [](const LaneSpec& a, const LaneSpec& b) { return a.intra_op_threads < b.intra_op_threads; };
  return {*std::ranges::max_element(specs, by_threads)};
}

}  // namespace

Lanes::Lanes(const ModelConfig& config, Runner& runner, Counters& counters, ExecutorJudge& judge)
    : config_(config), runner_(runner), counters_(counters), judge_(judge), queue_(config.queue_capacity) {
  const std::vector<LaneSpec> specs = LaneSpecs(config);
  {
    MutexLock lock(mutex_);
    for (const LaneSpec& spec : specs) {
      cores_ = std::max(cores_, spec.wide ? spec.intra_op_threads : 1);
      states_.push_back({.wide = spec.wide, .busy = false, .signalled = false});
      held_.push_back(0);
      lanes_.push_back(std::make_unique<Lane>());
      lanes_.back()->spec = spec;
    }
  }
  try {
    for (std::size_t i = 0; i < lanes_.size(); ++i) lanes_[i]->thread = std::thread(&Lanes::Loop, this, i);
  } catch (...) {
    Stop();
    throw;
  }
}

Lanes::~Lanes() { Stop(); }

Status Lanes::Submit(TaskPtr& task, bool accepted_before) {
  const std::uint64_t shape_key = ShapeKey(*task);
  std::vector<TaskPtr> dropped;
  CondVar* wake = nullptr;
  Status status;
  {
    MutexLock lock(mutex_);
    if (stopping_) return UnloadingStatus(config_);
    if (queue_.full() && !accepted_before) MakeRoom(task->enqueued_ns, dropped);
    if (queue_.full() && !accepted_before) {
      status = QueueFullStatus(config_);
    } else {
      queue_.Push(std::move(task), shape_key);
      wake = NextToWake();
    }
    waiting_.store(queue_.size(), std::memory_order_relaxed);
  }
  if (wake != nullptr) wake->NotifyOne();
  if (!dropped.empty()) Complete(dropped, MonotonicNs());
  return status;
}

// A full queue may hold tasks that nobody wants any more; they make room, looked for at most once a millisecond.
void Lanes::MakeRoom(std::int64_t now_ns, std::vector<TaskPtr>& dropped) {
  if (swept_ns_ != 0 && now_ns - swept_ns_ < kSweepEveryNs) return;
  swept_ns_ = now_ns;
  queue_.DropDead(now_ns, dropped);
}

CondVar* Lanes::NextToWake() {
  const int next = LaneToSignal(states_, queue_.size(), cores_);
  if (next == kNoLane) return nullptr;
  const auto index = static_cast<std::size_t>(next);
  states_[index].signalled = true;
  return &lanes_[index]->wake;
}

void Lanes::SignalNext() {
  if (CondVar* wake = NextToWake()) wake->NotifyOne();
}

void Lanes::Loop(std::size_t self) {
  pthread_setname_np(pthread_self(), "sconce-lane");
  lanes_of_this_thread = this;
  const LaneSpec& spec = lanes_[self]->spec;
  const std::unique_ptr<RunnerScratch> scratch = runner_.NewScratch(spec.intra_op_threads);
  Work work;
  while (Next(self, work)) Run(spec, work, *scratch);
}

bool Lanes::Next(std::size_t self, Work& work) {
  MutexLock lock(mutex_);
  states_[self].busy = false;
  held_[self] = 0;
  while (!stopping_) {
    std::int64_t wait_until_ns = 0;
    if (TryTake(self, work, wait_until_ns)) return true;
    states_[self].signalled = false;
    if (wait_until_ns != 0) {
      lanes_[self]->wake.WaitUntil(mutex_, wait_until_ns);
    } else {
      SignalNext();
      if (states_[self].signalled) continue;  // it is this lane's turn after all
      lanes_[self]->wake.Wait(mutex_);
    }
  }
  return false;
}

bool Lanes::TryTake(std::size_t self, Work& work, std::int64_t& wait_until_ns) {
  const LanePlan plan = PlanLanes(states_, queue_.size(), cores_);
  if (!MayStart(plan, states_[self])) return false;
  const BatchLimits limits = {.max_rows = std::max<std::uint32_t>(config_.max_batch_rows, 1),
                              .max_delay_ns = config_.max_batch_delay_ns,
                              .idle_executors = IdleExecutors(plan),
                              .in_order = config_.stateful};
  const BatchDecision decision = queue_.Take(limits, MonotonicNs(), work.batch, work.dropped);
  waiting_.store(queue_.size(), std::memory_order_relaxed);
  wait_until_ns = decision.wait_until_ns;
  if (work.batch.empty() && work.dropped.empty()) return false;
  states_[self] = {.wide = states_[self].wide, .busy = true, .signalled = false};
  held_[self] = work.batch.size() + work.dropped.size();
  SignalNext();
  return true;
}

void Lanes::Run(const LaneSpec& spec, Work& work, RunnerScratch& scratch) {
  const std::int64_t start_ns = MonotonicNs();
  Complete(work.dropped, start_ns);
  if (work.batch.empty()) return;
  std::uint32_t rows = 0;
  work.tasks.clear();
  for (const TaskPtr& task : work.batch) {
    task->started_ns = start_ns;
    rows += RowCount(*task);
    work.tasks.push_back(task.get());
  }
  for (Task* task : work.tasks) task->batch_rows = rows;
  const bool measured = judge_.MeasuresLane();
  const std::int64_t cpu_ns = measured ? ThreadCpuNs() : 0;
  runner_.Run(work.tasks, scratch, !config_.stateful);
  if (measured) judge_.OnLaneBatch((ThreadCpuNs() - cpu_ns) * spec.intra_op_threads);
  const std::int64_t end_ns = MonotonicNs();
  counters_.OnBatch(rows, end_ns - start_ns, false);
  Complete(work.batch, end_ns);
}

// Ends the tasks and sends them to their sinks, each sink once. Leaves `tasks` empty.
void Lanes::Complete(std::vector<TaskPtr>& tasks, std::int64_t now_ns) {
  for (const TaskPtr& task : tasks) FinishTask(*task, now_ns, counters_);
  std::vector<TaskPtr> others;
  while (!tasks.empty()) {
    const std::shared_ptr<CompletionQueue> sink = tasks.front()->sink;
    for (TaskPtr& task : tasks) {
      if (task->sink != sink) others.push_back(std::move(task));
    }
    std::erase(tasks, nullptr);
    if (sink != nullptr) sink->PushMany(tasks);
    tasks.clear();
    std::swap(tasks, others);
  }
}

void Lanes::Close() {
  std::vector<TaskPtr> refused;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    closed_.store(true, std::memory_order_relaxed);
    queue_.TakeAll(refused);
    waiting_.store(0, std::memory_order_relaxed);
    for (const auto& lane : lanes_) lane->wake.NotifyAll();
  }
  for (const TaskPtr& task : refused) task->status = UnloadingStatus(config_);
  if (!refused.empty()) Complete(refused, MonotonicNs());
}

void Lanes::Stop() {
  Close();
  MutexLock lock(join_mutex_);
  for (const auto& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
  stopped_.store(true, std::memory_order_release);
}

bool Lanes::OnLaneThread() const { return lanes_of_this_thread == this; }

std::size_t Lanes::in_flight() const {
  MutexLock lock(mutex_);
  std::size_t count = queue_.size();
  for (const std::size_t held : held_) count += held;
  return count;
}

}  // namespace sconce
