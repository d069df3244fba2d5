// Which waiting tasks form the next batch: a pure function of a snapshot. No clock, lock or I/O inside.
#pragma once

#include <cstdint>
#include <span>

namespace sconce {

struct BatchCandidate {
  std::uint64_t shape_key = 0;  // equal keys may share a batch
  std::uint32_t rows = 1;
  std::int64_t enqueued_ns = 0;
  std::int64_t deadline_ns = 0;  // 0: none
  bool cancelled = false;
};

struct BatchLimits {
  std::uint32_t max_rows = 1;
  std::int64_t max_delay_ns = 0;     // 0: greedy, an idle executor takes what waits at once
  std::uint32_t idle_executors = 1;  // idle lanes including the asking one: an idle second lane gets its share first
  bool in_order = false;             // nothing may overtake: a batch ends at the first task of another shape
  std::int64_t settle_until_ns = 0;  // greedy, but until then only with the share of what is in flight (see Settling)
  std::uint32_t outstanding = 0;     // rows in flight beside those that wait
  std::uint32_t executors = 1;       // among which they are shared
};

struct BatchDecision {
  std::uint32_t take = 0;          // how many were marked kTake
  std::int64_t wait_until_ns = 0;  // nothing taken: ask again at this time (0: only when something arrives)
  std::uint32_t settles_for = 0;   // nothing taken: the share that is waited for
};

enum class Verdict : std::uint8_t { kLeave, kTake, kExpired, kCancelled };

// Fills verdicts[i] for waiting[i] (FIFO order). The oldest live task is always part of the batch it defines, even when
// its rows alone exceed the limit; the others join it in order while they have its shape and fit.
//   greedy (max_delay_ns 0): at most ceil(live rows / idle_executors) rows, so that idle executors share what waits
//     while it settles: nothing until the share of everything in flight is there, then that many at least
//   with a delay: nothing until max_rows are there or the oldest has waited max_delay_ns, then up to max_rows
BatchDecision ChooseBatch(std::span<const BatchCandidate> waiting, const BatchLimits& limits, std::int64_t now_ns,
                          std::span<Verdict> verdicts);

}  // namespace sconce
