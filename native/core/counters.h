// What a model version did, counted natively and read at scrape time.
// Thread: written by many threads through relaxed atomics on a cell of their own (padded, picked by thread); Read sums.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "core/status.h"

namespace sconce {

// Buckets hold values up to and including their bound; the last one is +Inf.
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
  // Of the above, those whose client named the version.
  std::uint64_t named_requests = 0;
  double named_request_seconds = 0;
  double named_queue_seconds = 0;
  HistogramSnapshot request_seconds;    // enqueued -> finished
  HistogramSnapshot queue_seconds;      // enqueued -> started
  HistogramSnapshot inference_seconds;  // one batch
  HistogramSnapshot batch_rows;
};

class Counters {
 public:
  // Ascending; anything else is sorted. Empty: one bucket, +Inf.
  explicit Counters(std::vector<double> latency_bounds_seconds);
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  // `named`: its client named the version, and did not take the default one.
  void OnRequest(Code code, std::int64_t total_ns, std::int64_t queue_ns, std::uint64_t request_bytes,
                 std::uint64_t response_bytes, bool named);
  void OnBatch(std::uint32_t rows, std::int64_t run_ns, bool inline_run);
  // Sums the cells; a request counted meanwhile may be in one figure and not yet in another.
  CountersSnapshot Read() const;

 private:
  // Threads that count at the same time, each with a cell of its own; further ones share the last cell.
  static constexpr std::size_t kOwnCells = 64;
  struct Histogram;
  struct Cell;

  Cell& Mine();
  Cell* NewCell(bool shared) const;

  std::vector<double> bounds_seconds_;
  std::vector<std::int64_t> bounds_ns_;
  std::array<std::atomic<Cell*>, kOwnCells + 1> cells_{};  // made by their threads on first use
};

}  // namespace sconce
