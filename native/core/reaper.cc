#include "core/reaper.h"

#include <pthread.h>

#include <cstdint>
#include <deque>
#include <thread>
#include <utility>

#include "core/mutex.h"

namespace sconce {

namespace {

// Never destroyed and its thread never joined: work may be posted while the process ends.
class Reaper {
 public:
  static Reaper& Get() {
    static auto* const reaper = new Reaper;
    return *reaper;
  }

  void Post(std::function<void()> work) {
    MutexLock lock(mutex_);
    work_.push_back(std::move(work));
    ++posted_;
    if (!std::exchange(started_, true)) std::thread(&Reaper::Loop, this).detach();
    changed_.NotifyAll();
  }

  void WaitForAll() {
    MutexLock lock(mutex_);
    const std::uint64_t target = posted_;
    while (done_ < target) changed_.Wait(mutex_);
  }

 private:
  void Loop() {
    pthread_setname_np(pthread_self(), "sconce-reaper");
    for (;;) {
      Next()();
      MutexLock lock(mutex_);
      ++done_;
      changed_.NotifyAll();
    }
  }

  std::function<void()> Next() {
    MutexLock lock(mutex_);
    while (work_.empty()) changed_.Wait(mutex_);
    std::function<void()> next = std::move(work_.front());
    work_.pop_front();
    return next;
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> work_ GUARDED_BY(mutex_);
  std::uint64_t posted_ GUARDED_BY(mutex_) = 0;
  std::uint64_t done_ GUARDED_BY(mutex_) = 0;
  bool started_ GUARDED_BY(mutex_) = false;
};

}  // namespace

void PostToReaper(std::function<void()> work) { Reaper::Get().Post(std::move(work)); }

void WaitForReaper() { Reaper::Get().WaitForAll(); }

}  // namespace sconce
