// Monotonic time. All deadlines and waits use it; wall time is for logs only.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace sconce {

inline std::int64_t MonotonicNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// CPU time the calling thread has used: what a piece of work cost, whatever else ran on the machine. A system call.
inline std::int64_t ThreadCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace sconce
