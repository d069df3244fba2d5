// What a model version did, counted natively and read at scrape time.
// Thread: written by many threads through relaxed atomics on a cell of their own (padded, picked by thread); Read sums.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "core/status.h"

namespace sconce {

// Upper bounds in nanoseconds of the latency histograms; the last bucket is +Inf. Set once before the first request.
struct HistogramSnapshot {
  std::vector<double> bounds;         // seconds, or rows for batch sizes
  std::vector<std::uint64_t> counts;  // one more than bounds, not cumulative
  double sum = 0;
};

struct CountersSnapshot {
  std::array<std::uint64_t, kCodeCount> requests_by_code{};  // finished requests
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  std::uint64_t batches = 0;
  std::uint64_t rows = 0;
  std::uint64_t inline_batches = 0;
  std::uint64_t waited_for_load = 0;
  HistogramSnapshot request_seconds;    // enqueued -> finished
  HistogramSnapshot queue_seconds;      // enqueued -> started
  HistogramSnapshot inference_seconds;  // one batch
  HistogramSnapshot batch_rows;
};

class Counters {
 public:
  explicit Counters(std::vector<double> latency_bounds_seconds);
  ~Counters();
  void OnRequest(Code code, std::int64_t total_ns, std::int64_t queue_ns, std::uint64_t request_bytes,
                 std::uint64_t response_bytes);
  void OnBatch(std::uint32_t rows, std::int64_t run_ns, bool inline_run);
  void OnWaitedForLoad();
  CountersSnapshot Read() const;

 private:
  struct Cell;
  Cell& Mine() const;
  std::vector<double> latency_bounds_;
  std::vector<Cell*> cells_;
};

}  // namespace sconce
