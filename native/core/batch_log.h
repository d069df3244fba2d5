// What each batch took, for who writes a line per batch: a bounded list that one reader empties again and again. Models
// without one (ModelConfig::batch_log) pay a branch per batch.
//
//   BatchNote note;
//   note.Begin(config.batch_log, config.tag, tasks, start_ns, end_ns);   // after the run, while the tasks are there
//   …the tasks are handed back…
//   note.Done();
//
// Thread: a note belongs to the thread that ran the batch; the log is anybody's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "core/task.h"

namespace sconce {

// Requests, and batches, that are kept until they are taken; later ones are counted. A look every 50 ms finds room for
// a million requests a second.
inline constexpr std::size_t kMaxLoggedRequests = std::size_t{1} << 16;

struct LoggedBatch {
  std::uint32_t tag = 0;        // ModelConfig::tag
  std::uint32_t answered = 0;   // requests with an answer; as many of TakenBatches::waits_ns belong to it
  std::int64_t ended_s = 0;     // since 1970
  std::int64_t run_ns = 0;      // the model's run
  std::int64_t outside_ns = 0;  // what the thread had to do with it beside the run
};

struct TakenBatches {
  std::vector<LoggedBatch> batches;    // in the order in which they ended
  std::vector<std::int64_t> waits_ns;  // of each answered request from its arrival to its batch's start
  std::uint64_t left_out = 0;          // batches that there was no room for
};

class BatchLog {
 public:
  explicit BatchLog(std::size_t capacity = kMaxLoggedRequests) : capacity_(capacity) {}

  void Add(const LoggedBatch& batch, std::span<const std::int64_t> waits_ns) EXCLUDES(mutex_);
  // Leaves it empty.
  TakenBatches Take() EXCLUDES(mutex_);

 private:
  const std::size_t capacity_;
  Mutex mutex_;
  TakenBatches kept_ GUARDED_BY(mutex_);
};

// Of one batch, from the end of its run until its tasks are gone. Without a log it does nothing.
class BatchNote {
 public:
  void Begin(const std::shared_ptr<BatchLog>& log, std::uint32_t tag, std::span<Task* const> tasks,
             std::int64_t start_ns, std::int64_t end_ns) {
    if (log) Take(log, tag, tasks, start_ns, end_ns);
  }
  void Done() {
    if (log_) Write();
  }

 private:
  void Take(const std::shared_ptr<BatchLog>& log, std::uint32_t tag, std::span<Task* const> tasks,
            std::int64_t start_ns, std::int64_t end_ns);
  void Write();

  std::shared_ptr<BatchLog> log_;  // outlives the model, which may go with its last task
  LoggedBatch batch_;
  std::int64_t end_ns_ = 0;
  std::vector<std::int64_t> waits_ns_;
};

}  // namespace sconce
