#include "core/lanes.h"

#include <pthread.h>

#include <algorithm>
#include <functional>
#include <string>
#include <system_error>
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
  if (!config.stateful && !config.one_lane) return specs;
  const auto by_threads = [](const LaneSpec& a, const LaneSpec& b) { return a.intra_op_threads < b.intra_op_threads; };
  return {*std::ranges::max_element(specs, by_threads)};
}

}  // namespace

Lanes::Lanes(const ModelConfig& config, Runner& runner, Counters& counters, ExecutorJudge& judge)
    : config_(config), runner_(runner), counters_(counters), judge_(judge), queue_(config.queue_capacity) {
  Status status;
  {
    MutexLock joining(join_mutex_);
    std::vector<std::size_t> all;
    {
      MutexLock lock(mutex_);
      for (const LaneSpec& spec : LaneSpecs(config)) {
        cores_ = std::max(cores_, spec.wide ? spec.intra_op_threads : 1);
        all.push_back(lanes_.size());
        AddLane(spec);
        if (Counted(all.back())) ++target_;
      }
    }
    status = StartLanes(all);
  }
  if (status.ok()) return;
  Stop();
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), status.message());
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
    if (!Takes(accepted_before)) return NoWorkerStatus(config_);
    if (queue_.full() && !accepted_before) MakeRoom(task->enqueued_ns, dropped);
    if (queue_.full() && !accepted_before) {
      status = QueueFullStatus(config_);
    } else {
      settling_.OnArrival(RowCount(*task));
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

LaneDemand Lanes::Demand(std::int64_t now_ns) const {
  return {.waiting = queue_.size(), .more_to_come = settling_.Away(now_ns) > 0, .lone_wide = lone_judge_.wide()};
}

CondVar* Lanes::NextToWake() {
  const int next = LaneToSignal(states_, Demand(MonotonicNs()), cores_);
  if (next == kNoLane) return nullptr;
  const auto index = static_cast<std::size_t>(next);
  states_[index].signalled = true;
  return &lanes_[index]->wake;
}

void Lanes::SignalNext() {
  if (CondVar* wake = NextToWake()) wake->NotifyOne();
}

void Lanes::Loop(std::size_t self, Lane& lane) {
  lanes_of_this_thread = this;
  const LaneSpec& spec = lane.spec;
  const std::unique_ptr<RunnerScratch> scratch = runner_.NewScratch(spec.intra_op_threads);
  // After the scratch: libtorch may start a pool for the whole process with it, whose threads inherit the name.
  pthread_setname_np(pthread_self(), "sconce-lane");
  Work work;
  while (Next(self, work)) Run(spec, work, *scratch);
}

bool Lanes::Next(std::size_t self, Work& work) {
  MutexLock lock(mutex_);
  states_[self].busy = false;
  held_[self] = 0;
  // A run that had company says nothing about one that has none.
  if (work.lone && queue_.empty() && taken_ == work.taken) lone_judge_.OnRun(states_[self].wide, work.run_ns);
  work.lone = false;
  settling_.OnEnd(self, work.run_ns, work.end_ns);
  while (!stopping_) {
    if (MayLeave(self)) break;
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
  Leave(self);
  return false;
}

bool Lanes::MayLeave(std::size_t self) const { return lanes_[self]->retired && (target_ > 0 || queue_.empty()); }

// The lane's last look under the lock: others may wait for it to end its batch, or for the queue to be empty.
void Lanes::Leave(std::size_t self) {
  lanes_[self]->exited = true;
  states_[self] = {.wide = states_[self].wide, .gone = true};
  if (stopping_) return;
  SignalNext();
  if (target_ > 0) return;
  for (const auto& lane : lanes_) lane->wake.NotifyAll();
}

bool Lanes::TryTake(std::size_t self, Work& work, std::int64_t& wait_until_ns) {
  const std::int64_t now_ns = MonotonicNs();
  const LanePlan plan = PlanLanes(states_, Demand(now_ns), cores_);
  if (!MayStart(plan, states_[self])) return false;
  const BatchDecision decision = queue_.Take(Limits(self, plan, now_ns), now_ns, work.batch, work.dropped);
  waiting_.store(queue_.size(), std::memory_order_relaxed);
  wait_until_ns = decision.wait_until_ns;
  if (decision.settles_for > 0) settling_.OnWait(self, decision.settles_for);
  if (work.batch.empty() && work.dropped.empty()) return false;
  std::uint32_t rows = 0;
  for (const TaskPtr& task : work.batch) rows += RowCount(*task);
  settling_.OnTake(self, rows);
  work.run_ns = 0;
  work.lone = plan.lone && work.batch.size() == 1;
  work.taken = ++taken_;
  states_[self].busy = true;
  states_[self].signalled = false;
  held_[self] = work.batch.size() + work.dropped.size();
  SignalNext();
  return true;
}

BatchLimits Lanes::Limits(std::size_t self, const LanePlan& plan, std::int64_t now_ns) const {
  return {.max_rows = std::max<std::uint32_t>(config_.max_batch_rows, 1),
          .max_delay_ns = config_.max_batch_delay_ns,
          .idle_executors = IdleExecutors(plan, config_.lanes_per_instance),
          .in_order = config_.stateful,
          .settle_until_ns = SettleUntil(self, now_ns),
          .outstanding = settling_.Outstanding(now_ns),
          .executors = Alike(self)};
}

// A lane that has been idle for longer takes what comes at once, so nothing settles beside it. Lanes of a device keep
// two batches in flight instead.
std::int64_t Lanes::SettleUntil(std::size_t self, std::int64_t now_ns) const {
  if (PerInstance() > 1) return 0;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const LaneState& other = states_[i];
    if (other.wide != states_[self].wide || other.busy || other.gone) continue;
    if (settling_.Until(i, now_ns) == 0) return 0;
  }
  return settling_.Until(self, now_ns);
}

// Lanes among which the requests in flight are shared.
std::uint32_t Lanes::Alike(std::size_t self) const {
  const bool wide = states_[self].wide;
  return static_cast<std::uint32_t>(
      std::ranges::count_if(states_, [wide](const LaneState& lane) { return lane.wide == wide && !lane.gone; }));
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
  work.run_ns = end_ns - start_ns;
  work.end_ns = end_ns;
  counters_.OnBatch(rows, work.run_ns, false);
  BatchNote note;
  note.Begin(config_.batch_log, config_.tag, work.tasks, start_ns, end_ns);
  Complete(work.batch, end_ns);
  note.Done();
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

void Lanes::AddLane(const LaneSpec& spec) {
  states_.push_back({.wide = spec.wide});
  held_.push_back(0);
  settling_.AddLane();
  lanes_.push_back(std::make_unique<Lane>());
  lanes_.back()->spec = spec;
}

// Whether the lane stands for an instance: the narrow ones do, and the only one of a model that may have no other.
bool Lanes::Counted(std::size_t lane) const { return !states_[lane].wide || config_.stateful || config_.one_lane; }

bool Lanes::Takes(bool accepted_before) const {
  if (target_ > 0) return true;
  return accepted_before && std::ranges::any_of(states_, [](const LaneState& state) { return !state.gone; });
}

void Lanes::Retire(std::size_t lane) {
  lanes_[lane]->retired = true;
  // Without any lane left, the retired ones empty the queue first.
  states_[lane].gone = states_[lane].gone || target_ > 0;
  states_[lane].signalled = false;
  lanes_[lane]->wake.NotifyAll();
}

bool Lanes::Revive(std::size_t lane) {
  lanes_[lane]->retired = false;
  states_[lane].gone = false;
  return lanes_[lane]->exited;
}

// Of the lanes whose thread runs (or of the others) revives as many as are wanted, and retires the rest.
void Lanes::Keep(bool running, int& serving, std::vector<std::size_t>& start) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i]->exited == running) continue;
    if (Counted(i) ? serving >= target_ : target_ == 0) {
      Retire(i);
      continue;
    }
    if (Counted(i)) ++serving;
    if (Revive(i)) start.push_back(i);
  }
}

// Until target_ lanes count; the wide one serves while any other does. Gives those to start. Running ones are kept
// first: reviving one costs nothing and starts no second batch.
std::vector<std::size_t> Lanes::Arrange() {
  std::vector<std::size_t> start;
  int serving = 0;
  Keep(true, serving, start);
  Keep(false, serving, start);
  for (; serving < target_; ++serving) {
    start.push_back(lanes_.size());
    AddLane({});
  }
  return start;
}

Status Lanes::StartLanes(const std::vector<std::size_t>& which) {
  for (std::size_t i = 0; i < which.size(); ++i) {
    Lane* lane = nullptr;
    {
      MutexLock lock(mutex_);
      lane = lanes_[which[i]].get();
      lane->exited = false;
    }
    try {
      if (lane->thread.joinable()) lane->thread.join();  // it has done its last work
      lane->thread = std::thread(&Lanes::Loop, this, which[i], std::ref(*lane));
    } catch (const std::system_error& error) {
      GiveUp(std::span(which).subspan(i));
      return {Code::kOutOfMemory, "no thread for another instance of model " + config_.name + ": " + error.what()};
    }
  }
  return Status::Ok();
}

void Lanes::GiveUp(std::span<const std::size_t> unstarted) {
  MutexLock lock(mutex_);
  for (const std::size_t index : unstarted) {
    if (Counted(index)) --target_;
    lanes_[index]->retired = true;
    Leave(index);
  }
  if (target_ == 0) refusing_.store(true, std::memory_order_relaxed);
}

Status Lanes::Resize(int instances) {
  MutexLock joining(join_mutex_);
  std::vector<std::size_t> start;
  {
    MutexLock lock(mutex_);
    if (stopping_) return UnloadingStatus(config_);
    const bool one = config_.stateful || config_.one_lane;
    target_ = one ? std::clamp(instances, 0, 1) : std::clamp(instances, 0, kMaxInstances) * PerInstance();
    refusing_.store(target_ == 0, std::memory_order_relaxed);
    start = Arrange();
    SignalNext();
  }
  return StartLanes(start);
}

int Lanes::instances() const {
  MutexLock lock(mutex_);
  return (target_ + PerInstance() - 1) / PerInstance();
}

int Lanes::running() const {
  MutexLock lock(mutex_);
  int count = 0;
  for (std::size_t i = 0; i < lanes_.size(); ++i) count += Counted(i) && !lanes_[i]->exited ? 1 : 0;
  return (count + PerInstance() - 1) / PerInstance();
}

int Lanes::PerInstance() const {
  return config_.stateful || config_.one_lane ? 1 : std::max(config_.lanes_per_instance, 1);
}

void Lanes::Close() {
  std::vector<TaskPtr> refused;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    refusing_.store(true, std::memory_order_relaxed);
    queue_.TakeAll(refused);
    waiting_.store(0, std::memory_order_relaxed);
    for (const auto& lane : lanes_) lane->wake.NotifyAll();
  }
  for (const TaskPtr& task : refused) task->status = UnloadingStatus(config_);
  if (!refused.empty()) Complete(refused, MonotonicNs());
}

void Lanes::Stop() {
  Close();
  MutexLock joining(join_mutex_);
  std::vector<Lane*> lanes;
  {
    MutexLock lock(mutex_);
    for (const auto& lane : lanes_) lanes.push_back(lane.get());
  }
  for (Lane* lane : lanes) {
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
