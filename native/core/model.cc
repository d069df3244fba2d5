#include "core/model.h"

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "core/executor.h"
#include "core/lanes.h"
#include "core/outcome.h"
#include "core/reaper.h"

namespace sconce {

namespace {

std::uint64_t NextId() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

void GiveDeadline(Task& task, const ModelConfig& config) {
  if (task.enqueued_ns == 0) task.enqueued_ns = MonotonicNs();
  if (task.deadline_ns == 0 && config.response_timeout_ns > 0) {
    task.deadline_ns = task.enqueued_ns + config.response_timeout_ns;
  }
}

void Reset(Task& task) {
  task.status = Status::Ok();
  task.answer.Clear();
  task.leaves.clear();
  task.started_ns = 0;
  task.batch_rows = 0;
}

}  // namespace

struct Model::Impl {
  Impl(ModelConfig model_config, std::shared_ptr<Runner> model_runner)
      : config(std::move(model_config)),
        runner(std::move(model_runner)),
        counters(config.latency_buckets),
        judge(config),
        lanes(config, *runner, counters, judge) {}

  // Fills `batch` with the live tasks; the others get their status.
  std::uint32_t Gather(const std::vector<TaskPtr>& tasks, std::int64_t now_ns, std::vector<Task*>& batch);
  void RunBatch(std::vector<Task*>& batch, std::uint32_t rows, RunnerScratch& scratch, InlineRun& run);
  bool DeservesRerun(const std::vector<Task*>& batch, std::uint32_t rows) const;

  const std::uint64_t id = NextId();
  const ModelConfig config;
  const std::shared_ptr<Runner> runner;
  Counters counters;
  ExecutorJudge judge;
  std::atomic<std::size_t> inline_running{0};
  Lanes lanes;  // last: its threads use all of the above
};

std::uint32_t Model::Impl::Gather(const std::vector<TaskPtr>& tasks, std::int64_t now_ns, std::vector<Task*>& batch) {
  std::uint32_t rows = 0;
  batch.clear();
  for (const TaskPtr& task : tasks) {
    GiveDeadline(*task, config);
    if (EndIfDead(*task, now_ns)) continue;
    task->started_ns = now_ns;
    rows += RowCount(*task);
    batch.push_back(task.get());
  }
  for (Task* task : batch) task->batch_rows = rows;
  return rows;
}

void Model::Impl::RunBatch(std::vector<Task*>& batch, std::uint32_t rows, RunnerScratch& scratch, InlineRun& run) {
  const bool sampled = judge.SamplesInline();
  const std::int64_t cpu_ns = sampled ? ThreadCpuNs() : 0;
  runner->Run(batch, scratch, false);
  if (sampled) judge.OnInlineSample(ThreadCpuNs() - cpu_ns);
  run.end_ns = MonotonicNs();
  judge.OnInlineWall(run.end_ns - run.start_ns);
  counters.OnBatch(rows, run.end_ns - run.start_ns, true);
}

// A batch that raised as a whole: on a lane the runner finds the guilty one. One row alone is guilty already.
bool Model::Impl::DeservesRerun(const std::vector<Task*>& batch, std::uint32_t rows) const {
  return !config.stateful && rows > 1 &&
         std::ranges::all_of(batch, [](const Task* task) { return task->status.code() == Code::kModelError; });
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::shared_ptr<Model> Model::Start(ModelConfig config, std::shared_ptr<Runner> runner) {
  return std::shared_ptr<Model>(new Model(std::make_unique<Impl>(std::move(config), std::move(runner))));
}

Model::~Model() {
  if (impl_->lanes.stopped()) return;
  impl_->lanes.Close();
  PostToReaper([impl = std::shared_ptr<Impl>(std::move(impl_))]() mutable { impl.reset(); });
}

std::uint64_t Model::id() const { return impl_->id; }
const ModelConfig& Model::config() const { return impl_->config; }
const std::shared_ptr<Runner>& Model::runner() const { return impl_->runner; }
Counters& Model::counters() { return impl_->counters; }

Status Model::Submit(TaskPtr& task) {
  // The lane may finish the task, and with it drop its pin, before this returns.
  const std::shared_ptr<Model> pin = shared_from_this();
  GiveDeadline(*task, impl_->config);
  if (task->model == nullptr) task->model = pin;
  return impl_->lanes.Submit(task, false);
}

Status Model::HandOver(TaskPtr& task) {
  const std::shared_ptr<Model> pin = shared_from_this();
  GiveDeadline(*task, impl_->config);
  return impl_->lanes.Submit(task, true);
}

bool Model::InlineNow() const {
  return impl_->judge.Inline() && impl_->lanes.waiting() == 0 && !impl_->lanes.refusing();
}

Status Model::Resize(int instances) { return impl_->lanes.Resize(instances); }
int Model::instances() const { return impl_->lanes.instances(); }
int Model::lanes() const { return impl_->lanes.running(); }

InlineRun Model::RunInline(std::vector<TaskPtr>& tasks, RunnerScratch& scratch) {
  thread_local std::vector<Task*> batch;
  Impl& impl = *impl_;
  InlineRun run;
  run.start_ns = run.end_ns = MonotonicNs();
  impl.inline_running.fetch_add(tasks.size(), std::memory_order_relaxed);
  const std::size_t running = tasks.size();
  const std::uint32_t rows = impl.Gather(tasks, run.start_ns, batch);
  if (!batch.empty()) impl.RunBatch(batch, rows, scratch, run);

  std::shared_ptr<Model> pin;  // a lane may drop the tasks' own
  const bool rerun = !batch.empty() && impl.DeservesRerun(batch, rows);
  if (rerun) pin = shared_from_this();
  BatchNote note;  // not of a batch that is run again
  if (!batch.empty() && !rerun) {
    note.Begin(impl.config.batch_log, impl.config.tag, batch, run.start_ns, run.end_ns);
  }
  for (TaskPtr& task : tasks) {
    if (rerun && task->status.code() == Code::kModelError) {
      Reset(*task);
      const Status status = HandOver(task);
      if (status.ok()) continue;
      task->status = status;
    }
    FinishTask(*task, run.end_ns, impl.counters);
  }
  if (rerun) std::erase(tasks, nullptr);
  note.Done();
  impl.inline_running.fetch_sub(running, std::memory_order_relaxed);
  return run;
}

std::unique_ptr<RunnerScratch> Model::NewInlineScratch() { return impl_->runner->NewScratch(1); }

void Model::Close() { impl_->lanes.Close(); }

void Model::Stop() {
  if (impl_->lanes.OnLaneThread()) {
    impl_->lanes.Close();
  } else {
    impl_->lanes.Stop();
  }
}

std::size_t Model::queue_depth() const { return impl_->lanes.waiting(); }

std::size_t Model::in_flight() const {
  return impl_->lanes.in_flight() + impl_->inline_running.load(std::memory_order_relaxed);
}

ExecutorChoice Model::executor() const {
  return impl_->judge.Inline() ? ExecutorChoice::kInline : ExecutorChoice::kLane;
}

std::string Model::executor_reason() const { return impl_->judge.Reason(); }

void WaitForDroppedModels() { WaitForReaper(); }

}  // namespace sconce
