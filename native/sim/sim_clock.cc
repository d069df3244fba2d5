#include "sim/sim_clock.h"

#include <algorithm>
#include <iterator>

namespace sconce::sim {

std::int64_t SimClock::now() const {
  MutexLock lock(mutex_);
  return now_;
}

void SimClock::Join() {
  MutexLock lock(mutex_);
  ++joined_;
  changed_.NotifyAll();
}

void SimClock::Part() {
  MutexLock lock(mutex_);
  --joined_;
  changed_.NotifyAll();
}

void SimClock::Hold() {
  MutexLock lock(mutex_);
  held_ = true;
}

void SimClock::Go() {
  MutexLock lock(mutex_);
  held_ = false;
  changed_.NotifyAll();
}

void SimClock::WaitForJoined(int count) {
  MutexLock lock(mutex_);
  while (joined_ < count) changed_.Wait(mutex_);
}

// Threads whose moment has come but who have not run yet are not waiting any more.
bool SimClock::AllWait() const { return std::distance(awaited_.upper_bound(now_), awaited_.end()) >= joined_; }

void SimClock::WaitUntil(std::int64_t ns) {
  MutexLock lock(mutex_);
  if (mode_ == kFree) {
    now_ = std::max(now_, ns);
    return;
  }
  const auto mine = awaited_.insert(ns);
  while (now_ < ns) {
    if (!held_ && AllWait()) {
      now_ = *awaited_.upper_bound(now_);
      changed_.NotifyAll();
    } else {
      changed_.Wait(mutex_);
    }
  }
  awaited_.erase(mine);
}

}  // namespace sconce::sim
