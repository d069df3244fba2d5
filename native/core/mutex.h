// std::mutex with clang's thread-safety annotations (checked by the clang build with -Wthread-safety).
#pragma once

#include <condition_variable>
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

}  // namespace sconce
