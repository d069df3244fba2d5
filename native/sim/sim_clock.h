// Simulated time. It stands still while any thread that takes part has something to do, and jumps to the next awaited
// moment when all of them wait; so what a schedule costs is a fact of the schedule and not of the machine.
//
//   SimClock clock(SimClock::kVirtual);
//   clock.Hold();                 // time stands still until Go
//   … threads: clock.Join(); … clock.WaitUntil(clock.now() + 1000); … clock.Part();
//
// kFree: a wait returns at once and moves the time, for tests of order rather than of duration.
// Thread: all methods from any thread.
#pragma once

#include <cstdint>
#include <set>

#include "core/mutex.h"

namespace sconce::sim {

class SimClock {
 public:
  enum Mode : std::uint8_t { kVirtual, kFree };
  explicit SimClock(Mode mode) : mode_(mode) {}

  std::int64_t now() const;
  // The calling thread takes part from now on, or no longer.
  void Join();
  void Part();
  void WaitUntil(std::int64_t ns);

  void Hold();
  void Go();
  // Blocks (in real time) until that many threads take part.
  void WaitForJoined(int count);

 private:
  bool AllWait() const REQUIRES(mutex_);

  const Mode mode_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::int64_t now_ GUARDED_BY(mutex_) = 0;
  int joined_ GUARDED_BY(mutex_) = 0;
  bool held_ GUARDED_BY(mutex_) = false;
  std::multiset<std::int64_t> awaited_ GUARDED_BY(mutex_);
};

}  // namespace sconce::sim
