#include "core/counters.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

namespace sconce {
namespace {

TEST(Counters, SumsWhatWasCounted) {
  Counters counters({0.01, 0.001});                              // sorted by the counters
  counters.OnRequest(Code::kOk, 1'000'000, 500, 10, 20, false);  // up to and including the bound
  counters.OnRequest(Code::kOk, 1'000'001, 2'000'000, 1, 2, true);
  counters.OnRequest(Code::kQueueFull, 20'000'000, -5, 0, 0, true);  // a negative time is none
  counters.OnBatch(3, 2'000'000, true);
  counters.OnBatch(5000, 20'000'000, false);
  const CountersSnapshot total = counters.Read();
  EXPECT_EQ(total.requests_by_code[static_cast<std::size_t>(Code::kOk)], 2u);
  EXPECT_EQ(total.requests_by_code[static_cast<std::size_t>(Code::kQueueFull)], 1u);
  EXPECT_EQ(total.request_bytes, 11u);
  EXPECT_EQ(total.response_bytes, 22u);
  EXPECT_EQ(total.batches, 2u);
  EXPECT_EQ(total.inline_batches, 1u);
  EXPECT_EQ(total.rows, 5003u);
  EXPECT_EQ(total.named_requests, 2u);
  EXPECT_NEAR(total.named_request_seconds, 0.021000001, 1e-12);
  EXPECT_NEAR(total.named_queue_seconds, 0.002, 1e-12);
  EXPECT_EQ(total.request_seconds.bounds, (std::vector<double>{0.001, 0.01}));
  EXPECT_EQ(total.request_seconds.counts, (std::vector<std::uint64_t>{1, 1, 1}));
  EXPECT_NEAR(total.request_seconds.sum, 0.022000001, 1e-12);
  EXPECT_EQ(total.queue_seconds.counts, (std::vector<std::uint64_t>{2, 1, 0}));
  EXPECT_EQ(total.inference_seconds.counts, (std::vector<std::uint64_t>{0, 1, 1}));
  EXPECT_EQ(total.batch_rows.counts[2], 1u);      // 3 rows: up to 4
  EXPECT_EQ(total.batch_rows.counts.back(), 1u);  // 5000 rows: beyond the last bound
}

TEST(Counters, WithoutBoundsThereIsOneBucket) {
  Counters counters({});
  counters.OnRequest(Code::kOk, 5, 5, 0, 0, false);
  EXPECT_EQ(counters.Read().request_seconds.counts, (std::vector<std::uint64_t>{1}));
}

// More threads than own cells, all at once, while somebody reads; then again with reused thread numbers.
TEST(Counters, ManyThreadsLoseNothing) {
  constexpr std::uint64_t kThreads = 80;
  constexpr std::uint64_t kEach = 500;
  Counters counters({0.001});
  for (int round = 0; round < 2; ++round) {
    std::atomic<std::uint64_t> ready{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        counters.OnBatch(0, 0, false);  // takes the thread's number
        ready.fetch_add(1);
        while (ready.load() < kThreads) std::this_thread::yield();
        for (std::uint64_t i = 0; i < kEach; ++i) {
          counters.OnRequest(Code::kOk, 1, 1, 1, 1, true);
          counters.OnBatch(2, 1, true);
        }
      });
    }
    EXPECT_LE(counters.Read().batches, 2 * kThreads * (kEach + 1));
    for (std::thread& thread : threads) thread.join();
  }
  const CountersSnapshot total = counters.Read();
  EXPECT_EQ(total.requests_by_code[0], 2 * kThreads * kEach);
  EXPECT_EQ(total.rows, 4 * kThreads * kEach);
  EXPECT_EQ(total.named_requests, 2 * kThreads * kEach);
  EXPECT_EQ(total.request_seconds.counts[0], 2 * kThreads * kEach);
}

}  // namespace
}  // namespace sconce
