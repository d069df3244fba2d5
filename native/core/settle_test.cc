#include "core/settle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>
#include <random>
#include <vector>

#include "core/batch_policy.h"

namespace sconce {
namespace {

constexpr std::int64_t kMs = 1'000'000;

Settling Two() {
  Settling settling;
  settling.AddLane();
  settling.AddLane();
  return settling;
}

TEST(Settling, ALaneMayWaitForAPartOfItsRun) {
  Settling settling = Two();
  settling.OnTake(0, 3);
  EXPECT_EQ(settling.Outstanding(0), 3u);
  EXPECT_EQ(settling.Away(0), 0u);
  settling.OnEnd(0, 32 * kMs, 100 * kMs);
  EXPECT_EQ(settling.Until(0, 100 * kMs), 102 * kMs);
  EXPECT_EQ(settling.Until(1, 100 * kMs), 0);
  EXPECT_EQ(settling.Away(101 * kMs), 3u);
  settling.OnArrival(2);
  EXPECT_EQ(settling.Away(101 * kMs), 1u);
  settling.OnArrival(2);
  EXPECT_EQ(settling.Away(101 * kMs), 0u);
  EXPECT_EQ(settling.Until(0, 102 * kMs), 0);
}

TEST(Settling, WhatWasAnsweredIsAwayForTheWaitOnly) {
  Settling settling = Two();
  settling.OnTake(0, 3);
  settling.OnTake(1, 1);
  settling.OnEnd(0, 32 * kMs, 0);
  EXPECT_EQ(settling.Outstanding(kMs), 4u);
  EXPECT_EQ(settling.Outstanding(2 * kMs), 1u);
}

TEST(Settling, NeverForFastModelsAndNeverForLong) {
  Settling settling = Two();
  settling.OnTake(0, 1);
  settling.OnEnd(0, Settling::kShortestNs * Settling::kPartOfRun - Settling::kPartOfRun, 0);
  EXPECT_EQ(settling.Until(0, 0), 0);
  EXPECT_EQ(settling.Away(0), 0u);
  settling.OnTake(0, 1);
  settling.OnEnd(0, 3600'000 * kMs, 0);
  EXPECT_EQ(settling.Until(0, 0), Settling::kLongestNs);
}

// Ends batches until one may be followed by a wait; how many it took.
std::uint32_t EndsUntilAWait(Settling& settling) {
  std::uint32_t ends = 0;
  do {
    settling.OnTake(0, 1);
    settling.OnEnd(0, 32 * kMs, 0);
    ++ends;
  } while (settling.Until(0, 0) == 0);
  return ends;
}

TEST(Settling, WaitsInVainBecomeRare) {
  Settling settling = Two();
  EXPECT_EQ(EndsUntilAWait(settling), 1u);
  std::vector<std::uint32_t> ends;
  for (int i = 0; i < 6; ++i) {
    settling.OnWait(0, 2);
    ends.push_back(EndsUntilAWait(settling));
  }
  EXPECT_EQ(ends, (std::vector<std::uint32_t>{3, 5, 9, 17, 17, 17}));
  settling.OnWait(0, 1);  // and one of use makes them usual again
  EXPECT_EQ(EndsUntilAWait(settling), 1u);
  EXPECT_EQ(EndsUntilAWait(settling), 1u);
}

// Two lanes and a clock of their own: arrivals in, batches out.
class Simulation {
 public:
  explicit Simulation(bool settles) : settles_(settles) {}

  // `think_ns` 0: arrivals stay as they are; else each answer brings a new request after that time.
  void Run(const std::vector<std::int64_t>& arrivals, std::int64_t think_ns, std::size_t answers) {
    std::size_t next = 0;
    for (const std::int64_t at : arrivals) events_.push(at);
    while (latencies_.size() < answers) {
      now_ = events_.top();
      events_.pop();
      for (; !returning_.empty() && returning_.top() <= now_; returning_.pop()) Arrive();
      for (; next < arrivals.size() && arrivals[next] <= now_; ++next) Arrive();
      for (std::size_t lane = 0; lane < kLanes; ++lane) End(lane, think_ns);
      for (std::size_t lane = 0; lane < kLanes; ++lane) Take(lane);
    }
  }

  double MeanLatencyMs() const {
    return std::accumulate(latencies_.begin(), latencies_.end(), 0.0) / static_cast<double>(latencies_.size()) / kMs;
  }
  double MeanRows() const { return static_cast<double>(latencies_.size()) / static_cast<double>(batches_); }

 private:
  static constexpr std::size_t kLanes = 2;
  struct Lane {
    std::vector<BatchCandidate> batch;
    std::int64_t end_ns = 0;
    std::int64_t run_ns = 0;
  };
  using Times = std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>>;

  void Arrive() {
    settling_.OnArrival(1);
    waiting_.push_back({.shape_key = 1, .rows = 1, .enqueued_ns = now_, .deadline_ns = 0, .cancelled = false});
  }

  void End(std::size_t index, std::int64_t think_ns) {
    Lane& lane = lanes_[index];
    if (lane.batch.empty() || lane.end_ns > now_) return;
    settling_.OnEnd(index, settles_ ? lane.run_ns : 0, now_);
    std::int64_t back_ns = now_;
    for (const BatchCandidate& each : lane.batch) {
      latencies_.push_back(static_cast<double>(now_ - each.enqueued_ns));
      if (think_ns == 0) continue;
      back_ns += think_ns;  // one after the other, as bodies are read
      returning_.push(back_ns);
      events_.push(back_ns);
    }
    lane.batch.clear();
  }

  void Take(std::size_t index) {
    Lane& lane = lanes_[index];
    if (!lane.batch.empty() || waiting_.empty()) return;
    std::uint32_t idle = 0;
    std::int64_t settle_ns = settling_.Until(index, now_);
    for (std::size_t i = 0; i < kLanes; ++i) {
      if (!lanes_[i].batch.empty()) continue;
      ++idle;
      if (settling_.Until(i, now_) == 0) settle_ns = 0;
    }
    const BatchLimits limits = {.max_rows = 8,
                                .max_delay_ns = 0,
                                .idle_executors = idle,
                                .in_order = false,
                                .settle_until_ns = settle_ns,
                                .outstanding = settling_.Outstanding(now_),
                                .executors = kLanes};
    std::vector<Verdict> verdicts(waiting_.size());
    const BatchDecision decision = ChooseBatch(waiting_, limits, now_, verdicts);
    if (decision.settles_for > 0) settling_.OnWait(index, decision.settles_for);
    if (decision.wait_until_ns != 0) events_.push(decision.wait_until_ns);
    if (decision.take == 0) return;
    lane.batch.assign(waiting_.begin(), waiting_.begin() + decision.take);
    waiting_.erase(waiting_.begin(), waiting_.begin() + decision.take);
    settling_.OnTake(index, decision.take);
    // A picture by itself costs more than one of several.
    lane.run_ns = (8 + 16 * std::int64_t{decision.take}) * kMs;
    lane.end_ns = now_ + lane.run_ns;
    events_.push(lane.end_ns);
    ++batches_;
  }

  const bool settles_;
  Settling settling_ = Two();
  std::int64_t now_ = 0;
  std::vector<BatchCandidate> waiting_;
  std::vector<Lane> lanes_{kLanes};
  Times events_;
  Times returning_;
  std::vector<double> latencies_;
  std::size_t batches_ = 0;
};

struct Closed {
  double rows;
  double latency_ms;
};

Closed InFlight(std::size_t count, std::int64_t think_us, bool settles) {
  Simulation simulation(settles);
  simulation.Run(std::vector<std::int64_t>(count), think_us * 1000, 4000);
  return {.rows = simulation.MeanRows(), .latency_ms = simulation.MeanLatencyMs()};
}

TEST(Settling, WhatIsInFlightIsSharedByTheLanes) {
  for (const std::int64_t think_us : {200, 700}) {
    for (const std::size_t in_flight : {4u, 6u, 8u}) {
      SCOPED_TRACE(std::to_string(in_flight) + " in flight, back after " + std::to_string(think_us) + " us");
      const Closed settling = InFlight(in_flight, think_us, true);
      EXPECT_GT(settling.rows, 0.95 * static_cast<double>(in_flight) / 2);
      EXPECT_LT(settling.latency_ms, 0.94 * InFlight(in_flight, think_us, false).latency_ms);
    }
  }
}

// With too few in flight for all lanes to have equal shares there is nothing to gain, and next to nothing is lost.
TEST(Settling, FewInFlightLoseNothing) {
  for (const std::size_t in_flight : {1u, 2u, 3u, 5u}) {
    SCOPED_TRACE(in_flight);
    EXPECT_LT(InFlight(in_flight, 700, true).latency_ms, 1.02 * InFlight(in_flight, 700, false).latency_ms);
  }
}

TEST(Settling, NorDoClientsThatAreLate) {
  for (const std::int64_t think_us : {3'000, 10'000, 50'000}) {
    SCOPED_TRACE(think_us);
    EXPECT_LT(InFlight(8, think_us, true).latency_ms, 1.02 * InFlight(8, think_us, false).latency_ms);
  }
}

// Arrivals that nothing ties to the answers: as fast as without waits.
TEST(Settling, RandomArrivalsAreServedAsTheyCome) {
  constexpr double kAnswersPerMs = 2 * 8.0 / (8 + 16 * 8);  // the most that two lanes can do
  for (const double load : {0.3, 0.5, 0.7, 0.9}) {
    SCOPED_TRACE(load);
    std::mt19937 random(11);
    std::exponential_distribution<double> gap(load * kAnswersPerMs / kMs);
    std::vector<std::int64_t> arrivals(20'000);
    double at = 0;
    for (std::int64_t& each : arrivals) each = static_cast<std::int64_t>(at += gap(random));
    Simulation greedy(false);
    Simulation settling(true);
    greedy.Run(arrivals, 0, arrivals.size());
    settling.Run(arrivals, 0, arrivals.size());
    EXPECT_LT(settling.MeanLatencyMs(), 1.02 * greedy.MeanLatencyMs());
  }
}

}  // namespace
}  // namespace sconce
