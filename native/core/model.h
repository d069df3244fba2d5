// One loaded model version: its runner, queue, lanes and counters. Shared by every thread; unloaded when its pins
// (Tasks and snapshots hold shared_ptrs) are gone.
// Thread: Submit from HTTP threads, lanes are the model's own threads, Read* from anywhere. Config is immutable.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/batch_log.h"
#include "core/counters.h"
#include "core/runner.h"
#include "core/signature.h"
#include "core/task.h"

namespace sconce {

enum class ExecutorChoice : std::uint8_t { kAuto, kInline, kLane };

struct LaneSpec {
  int intra_op_threads = 1;
  bool wide = false;  // the lane that takes a lone request with all cores; the others take one core each
};

struct ModelConfig {
  std::string name;
  std::string version;
  std::uint32_t tag = 0;  // the caller's number for this version, unique in the process
  Signature signature;
  std::uint32_t max_batch_rows = 1;
  std::int64_t max_batch_delay_ns = 0;
  std::size_t queue_capacity = 100;      // waiting requests; the option is jobQueueSize
  std::int64_t response_timeout_ns = 0;  // 0: none
  ExecutorChoice executor = ExecutorChoice::kAuto;
  bool stateful = false;        // no re-runs, no freezing, batches in arrival order on one lane
  bool one_lane = false;        // never two batches at once, however many instances are asked for
  std::vector<LaneSpec> lanes;  // at least one
  // Lanes that make one instance. On a device two: one gathers and copies while the other's batch is computed. They
  // share one processor, so what waits is dealt out among the instances and not among their lanes.
  int lanes_per_instance = 1;
  std::vector<double> latency_buckets;  // seconds
  std::size_t max_instances = 1024;
  std::size_t max_decoded_bytes = std::size_t{64} << 20;
  bool inline_allowed = false;          // what warm-up measured: the p90 of the largest batch is under kInlineMaxNs
  double warm_batch_p90_us = 0;         // 0: no warm-up
  std::shared_ptr<BatchLog> batch_log;  // null: nobody wants to know of each batch
};

inline constexpr std::int64_t kInlineMaxNs = 200'000;         // p90 of the largest batch, to be run inline
inline constexpr std::int64_t kInlineTurnBudgetNs = 500'000;  // all inline runs of one event-loop turn
inline constexpr int kMaxInstances = 1024;                    // lanes that Resize starts at most
inline constexpr int kInlineProbation = 100;  // real batches measured before a model without warm-up may go inline

// One inline run on MonotonicNs()'s clock.
struct InlineRun {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

class Model : public std::enable_shared_from_this<Model> {
 public:
  // Starts the lanes. Throws std::system_error when the system gives no more threads.
  static std::shared_ptr<Model> Start(ModelConfig config, std::shared_ptr<Runner> runner);
  // Where the last pin goes does not matter: a model that was not stopped is ended on a background thread.
  ~Model();

  // Never used twice in a process, unlike an address.
  std::uint64_t id() const;
  const ModelConfig& config() const;
  const std::shared_ptr<Runner>& runner() const;
  // Counts every request that the model finishes, on whichever thread. What is refused by Submit or fails before it
  // (bad input) is counted by whoever answers it.
  Counters& counters();

  // Queues the task for a lane. On kQueueFull / kNotReady the task is left with the caller. The task needs a sink.
  // Without a deadline of its own it gets the model's response_timeout_ns.
  Status Submit(TaskPtr& task);

  // Whether a task that has just arrived may join the calling loop's inline batch: executor choice says so and no
  // backlog waits on the lanes (otherwise order and batching quality suffer).
  bool InlineNow() const;

  // Runs `tasks` (CanShareBatch, rows ≤ max_batch_rows) on the calling thread. Tasks that failed and deserve a re-run
  // are moved to a lane; the others are finished in place and left in `tasks`, the expired and cancelled included.
  InlineRun RunInline(std::vector<TaskPtr>& tasks, RunnerScratch& scratch);
  std::unique_ptr<RunnerScratch> NewInlineScratch();

  // Like Submit for a task that the inline path had accepted: never refused for a full queue.
  Status HandOver(TaskPtr& task);

  // How many narrow lanes (TorchServe's workers) take batches from now on; models that may have one only keep to one.
  // Lanes that are too many end after the batch they run; with 0 what waits is still answered first, and new tasks are
  // refused with kNotReady. kOutOfMemory: the system gives no more threads, and as many run as could be started.
  Status Resize(int instances);
  int instances() const;  // asked for, as far as the model allows
  int lanes() const;      // instances with a lane whose thread has not ended

  // Stops taking tasks and fails what waits with kNotReady; running batches go on.
  void Close();
  // Close, then joins the lanes. Idempotent. From a lane of its own (whose
  // batch held the last pin) it only closes.
  void Stop();

  std::size_t queue_depth() const;
  std::size_t in_flight() const;    // accepted by a lane or run inline, and not yet finished
  ExecutorChoice executor() const;  // kInline or kLane: what auto settled on
  std::string executor_reason() const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Waits until models that were dropped without Stop are gone (at the end of a process, and in tests).
void WaitForDroppedModels();

}  // namespace sconce
