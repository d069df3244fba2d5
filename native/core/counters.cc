#include "core/counters.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "core/mutex.h"

namespace sconce {

namespace {

using Number = std::atomic<std::uint64_t>;

constexpr double kNsPerSecond = 1e9;
constexpr std::array<std::int64_t, 11> kRowBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

// Small numbers for threads, used again when their thread has ended. Never destroyed: threads may outlive main().
class ThreadNumbers {
 public:
  static ThreadNumbers& Get() {
    static auto* const numbers = new ThreadNumbers;
    return *numbers;
  }
  std::size_t Take() {
    MutexLock lock(mutex_);
    if (free_.empty()) return next_++;
    const auto lowest = std::ranges::min_element(free_);
    const std::size_t number = *lowest;
    free_.erase(lowest);
    return number;
  }
  void Return(std::size_t number) {
    MutexLock lock(mutex_);
    free_.push_back(number);
  }

 private:
  Mutex mutex_;
  std::vector<std::size_t> free_ GUARDED_BY(mutex_);
  std::size_t next_ GUARDED_BY(mutex_) = 0;
};

struct ThreadNumber {
  const std::size_t value = ThreadNumbers::Get().Take();
  ~ThreadNumber() { ThreadNumbers::Get().Return(value); }
};

std::size_t MyNumber() {
  thread_local const ThreadNumber number;
  return number.value;
}

// A cell with one writer needs no locked instruction, only that readers see whole numbers.
void Add(Number& number, std::uint64_t value, bool shared) {
  if (shared) {
    number.fetch_add(value, std::memory_order_relaxed);
  } else {
    number.store(number.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
}

std::uint64_t Get(const Number& number) { return number.load(std::memory_order_relaxed); }

std::uint64_t NotNegative(std::int64_t value) { return value > 0 ? static_cast<std::uint64_t>(value) : 0; }

std::vector<double> Sorted(std::vector<double> bounds) {
  std::ranges::sort(bounds);
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  return bounds;
}

}  // namespace

struct Counters::Histogram {
  explicit Histogram(std::span<const std::int64_t> upper) : bounds(upper), counts(new Number[upper.size() + 1]()) {}

  void Observe(std::int64_t value, bool shared) {
    const auto bucket = std::ranges::lower_bound(bounds, value) - bounds.begin();
    Add(counts[static_cast<std::size_t>(bucket)], 1, shared);
    Add(sum, NotNegative(value), shared);
  }
  void AddTo(HistogramSnapshot& total, double unit) const {
    for (std::size_t i = 0; i <= bounds.size(); ++i) total.counts[i] += Get(counts[i]);
    total.sum += static_cast<double>(Get(sum)) / unit;
  }

  const std::span<const std::int64_t> bounds;
  const std::unique_ptr<Number[]> counts;
  Number sum{0};
};

// Aligned so that two threads' cells never share a cache line (two lines: neighbours are fetched in pairs).
struct alignas(128) Counters::Cell {
  Cell(std::span<const std::int64_t> latency_bounds, bool is_shared)
      : shared(is_shared),
        request_ns(latency_bounds),
        queue_ns(latency_bounds),
        inference_ns(latency_bounds),
        batch_rows(kRowBounds) {}

  const bool shared;
  std::array<Number, kCodeCount> by_code{};
  Number request_bytes{0};
  Number response_bytes{0};
  Number batches{0};
  Number inline_batches{0};
  Number named_requests{0};
  Number named_request_ns{0};
  Number named_queue_ns{0};
  Histogram request_ns;
  Histogram queue_ns;
  Histogram inference_ns;
  Histogram batch_rows;  // its sum is the number of rows
};

Counters::Counters(std::vector<double> latency_bounds_seconds)
    : bounds_seconds_(Sorted(std::move(latency_bounds_seconds))) {
  for (const double bound : bounds_seconds_) bounds_ns_.push_back(static_cast<std::int64_t>(bound * kNsPerSecond));
  cells_[kOwnCells].store(NewCell(true), std::memory_order_release);
}

Counters::~Counters() {
  for (const auto& cell : cells_) delete cell.load(std::memory_order_acquire);
}

Counters::Cell* Counters::NewCell(bool shared) const { return new Cell(bounds_ns_, shared); }

Counters::Cell& Counters::Mine() {
  const std::size_t number = std::min(MyNumber(), kOwnCells);
  Cell* cell = cells_[number].load(std::memory_order_acquire);
  if (cell == nullptr) {  // only this thread has the number, so nobody else makes the cell
    cell = NewCell(false);
    cells_[number].store(cell, std::memory_order_release);
  }
  return *cell;
}

void Counters::OnRequest(Code code, std::int64_t total_ns, std::int64_t queue_ns, std::uint64_t request_bytes,
                         std::uint64_t response_bytes, bool named) {
  Cell& cell = Mine();
  Add(cell.by_code[static_cast<std::size_t>(code)], 1, cell.shared);
  Add(cell.request_bytes, request_bytes, cell.shared);
  Add(cell.response_bytes, response_bytes, cell.shared);
  cell.request_ns.Observe(total_ns, cell.shared);
  cell.queue_ns.Observe(queue_ns, cell.shared);
  if (!named) return;
  Add(cell.named_requests, 1, cell.shared);
  Add(cell.named_request_ns, NotNegative(total_ns), cell.shared);
  Add(cell.named_queue_ns, NotNegative(queue_ns), cell.shared);
}

void Counters::OnBatch(std::uint32_t rows, std::int64_t run_ns, bool inline_run) {
  Cell& cell = Mine();
  Add(cell.batches, 1, cell.shared);
  if (inline_run) Add(cell.inline_batches, 1, cell.shared);
  cell.inference_ns.Observe(run_ns, cell.shared);
  cell.batch_rows.Observe(rows, cell.shared);
}

CountersSnapshot Counters::Read() const {
  CountersSnapshot total;
  for (HistogramSnapshot* each : {&total.request_seconds, &total.queue_seconds, &total.inference_seconds}) {
    *each = {.bounds = bounds_seconds_, .counts = std::vector<std::uint64_t>(bounds_seconds_.size() + 1), .sum = 0};
  }
  total.batch_rows.bounds.assign(kRowBounds.begin(), kRowBounds.end());
  total.batch_rows.counts.resize(kRowBounds.size() + 1);
  for (const auto& slot : cells_) {
    const Cell* cell = slot.load(std::memory_order_acquire);
    if (cell == nullptr) continue;
    for (std::size_t i = 0; i < cell->by_code.size(); ++i) total.requests_by_code[i] += Get(cell->by_code[i]);
    total.request_bytes += Get(cell->request_bytes);
    total.response_bytes += Get(cell->response_bytes);
    total.batches += Get(cell->batches);
    total.rows += Get(cell->batch_rows.sum);
    total.inline_batches += Get(cell->inline_batches);
    total.named_requests += Get(cell->named_requests);
    total.named_request_seconds += static_cast<double>(Get(cell->named_request_ns)) / kNsPerSecond;
    total.named_queue_seconds += static_cast<double>(Get(cell->named_queue_ns)) / kNsPerSecond;
    cell->request_ns.AddTo(total.request_seconds, kNsPerSecond);
    cell->queue_ns.AddTo(total.queue_seconds, kNsPerSecond);
    cell->inference_ns.AddTo(total.inference_seconds, kNsPerSecond);
    cell->batch_rows.AddTo(total.batch_rows, 1);
  }
  return total;
}

}  // namespace sconce
