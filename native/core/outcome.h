// The ends of a task that core itself brings about, and their words: too late, cancelled, refused, unloaded.
// Thread: pure functions; FinishTask belongs to the task's holder.
#pragma once

#include <cstdint>

#include "core/counters.h"
#include "core/model.h"
#include "core/status.h"
#include "core/task.h"

namespace sconce {

// Names the limit in milliseconds and the options that change it.
Status DeadlineStatus(const Task& task);
Status CancelledStatus();
// Gives the task its end when nobody waits for it any more: cancelled, or too late.
bool EndIfDead(Task& task, std::int64_t now_ns);
Status QueueFullStatus(const ModelConfig& config);
Status UnloadingStatus(const ModelConfig& config);
// Scaled to 0. TorchServe's words.
Status NoWorkerStatus(const ModelConfig& config);

// Stamps the end, turns an answer that came after the deadline into kDeadlineExceeded, and counts the request.
void FinishTask(Task& task, std::int64_t now_ns, Counters& counters);

}  // namespace sconce
