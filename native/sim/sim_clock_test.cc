#include "sim/sim_clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace sconce::sim {
namespace {

TEST(SimClock, JumpsToTheNextMomentWhenAllWait) {
  SimClock clock(SimClock::kVirtual);
  clock.Hold();
  std::vector<std::int64_t> seen;
  Mutex mutex;
  const auto run = [&](std::int64_t first, std::int64_t step) {
    clock.Join();
    for (std::int64_t at = first; at < 1'000'000'000; at += step) {
      clock.WaitUntil(at);
      MutexLock lock(mutex);
      seen.push_back(clock.now());
    }
    clock.Part();
  };
  std::thread a(run, 100'000'000, 300'000'000);
  std::thread b(run, 200'000'000, 300'000'000);
  clock.WaitForJoined(2);
  EXPECT_EQ(clock.now(), 0);
  clock.Go();
  a.join();
  b.join();
  EXPECT_EQ(seen,
            (std::vector<std::int64_t>{100'000'000, 200'000'000, 400'000'000, 500'000'000, 700'000'000, 800'000'000}));
}

TEST(SimClock, RunningFreeItNeverWaits) {
  SimClock clock(SimClock::kFree);
  clock.Join();
  clock.Join();
  clock.WaitUntil(500);
  clock.WaitUntil(300);
  EXPECT_EQ(clock.now(), 500);
}

}  // namespace
}  // namespace sconce::sim
