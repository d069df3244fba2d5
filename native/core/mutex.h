// std::mutex and std::condition_variable with clang's thread-safety annotations (checked by the clang build with
// -Wthread-safety).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#if defined(__clang__)
#define SCONCE_TSA(x) __attribute__((x))
#else
#define SCONCE_TSA(x)
#endif
#define GUARDED_BY(x) SCONCE_TSA(guarded_by(x))
#define REQUIRES(...) SCONCE_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) SCONCE_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) SCONCE_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) SCONCE_TSA(release_capability(__VA_ARGS__))

namespace sconce {

class SCONCE_TSA(capability("mutex")) Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

class SCONCE_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits may return early, so every caller waits in a loop that looks at its condition again.
class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> held(mutex.native(), std::adopt_lock);
    cond_.wait(held);
    held.release();  // the caller's MutexLock unlocks
  }
  // until_ns is on MonotonicNs()'s clock.
  void WaitUntil(Mutex& mutex, std::int64_t until_ns) REQUIRES(mutex) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point until{std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(until_ns))};
    std::unique_lock<std::mutex> held(mutex.native(), std::adopt_lock);
    cond_.wait_until(held, until);
    held.release();
  }
  void NotifyOne() { cond_.notify_one(); }
  void NotifyAll() { cond_.notify_all(); }

 private:
  std::condition_variable cond_;
};

}  // namespace sconce
