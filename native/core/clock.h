// Monotonic time. All deadlines and waits use it; wall time is for logs only.
#pragma once

#include <chrono>
#include <cstdint>

namespace sconce {

inline std::int64_t MonotonicNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace sconce
