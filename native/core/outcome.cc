#include "core/outcome.h"

#include <string>

namespace sconce {

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

std::string Label(const ModelConfig& config) { return config.name + " (version " + config.version + ")"; }

}  // namespace

Status DeadlineStatus(const Task& task) {
  const std::int64_t limit_ms = (task.deadline_ns - task.enqueued_ns) / kNsPerMs;
  return {Code::kDeadlineExceeded,
          "No answer within " + std::to_string(limit_ms) +
              " ms, the limit of --response-timeout (or of the model's responseTimeout); raise it to wait longer"};
}

Status CancelledStatus() { return {Code::kCancelled, "The client went away before its request was run"}; }

bool EndIfDead(Task& task, std::int64_t now_ns) {
  if (task.IsCancelled()) {
    task.status = CancelledStatus();
  } else if (task.deadline_ns != 0 && now_ns >= task.deadline_ns) {
    task.status = DeadlineStatus(task);
  } else {
    return false;
  }
  return true;
}

Status QueueFullStatus(const ModelConfig& config) {
  return {Code::kQueueFull, std::to_string(config.queue_capacity) + " requests wait for model " + Label(config) +
                                ", as many as its jobQueueSize allows; try again later or raise it (--job-queue-size)"};
}

Status UnloadingStatus(const ModelConfig& config) {
  return {Code::kNotReady, "Model " + Label(config) + " is being unloaded"};
}

Status NoWorkerStatus(const ModelConfig& config) {
  return {Code::kNotReady, "Model \"" + config.name +
                               "\" has no worker to serve inference request. Please use scale workers API to add "
                               "workers."};
}

void FinishTask(Task& task, std::int64_t now_ns, Counters& counters) {
  task.finished_ns = now_ns;
  if (task.deadline_ns != 0 && now_ns >= task.deadline_ns && task.status.ok()) {
    task.status = DeadlineStatus(task);
    task.answer.Clear();
    task.leaves.clear();
  }
  const std::int64_t started_ns = task.started_ns != 0 ? task.started_ns : now_ns;
  counters.OnRequest(task.status.code(), now_ns - task.enqueued_ns, started_ns - task.enqueued_ns, task.body_bytes,
                     task.answer.size(), task.named);
}

}  // namespace sconce
