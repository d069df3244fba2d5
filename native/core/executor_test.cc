#include "core/executor.h"

#include <gtest/gtest.h>

#include "core/fake_runner.h"

namespace sconce {
namespace {

bool Says(const ExecutorJudge& judge, const std::string& words) {
  return judge.Reason().find(words) != std::string::npos;
}

TEST(Executor, FollowsTheOperator) {
  ModelConfig config = fake::Config();
  config.executor = ExecutorChoice::kInline;
  EXPECT_TRUE(ExecutorJudge(config).Inline());
  config.executor = ExecutorChoice::kLane;
  config.inline_allowed = true;
  const ExecutorJudge lane(config);
  EXPECT_FALSE(lane.Inline());
  EXPECT_TRUE(Says(lane, "configuration"));
}

TEST(Executor, AutoFollowsWarmUp) {
  ModelConfig config = fake::Config();
  config.inline_allowed = true;
  config.warm_batch_p90_us = 42;
  const ExecutorJudge fast(config);
  EXPECT_TRUE(fast.Inline());
  EXPECT_TRUE(Says(fast, "42 µs"));
  EXPECT_TRUE(Says(fast, "200 µs"));
  config.inline_allowed = false;
  config.warm_batch_p90_us = 840;
  const ExecutorJudge slow(config);
  EXPECT_FALSE(slow.Inline());
  EXPECT_FALSE(slow.MeasuresLane());
  EXPECT_TRUE(Says(slow, "840 µs"));
}

TEST(Executor, ALittleOverTheLimitAtWarmUpIsLookedAtAgain) {
  ModelConfig config = fake::Config();
  config.warm_batch_p90_us = 310;
  ExecutorJudge judge(config);
  EXPECT_FALSE(judge.Inline());
  EXPECT_TRUE(judge.MeasuresLane());
  EXPECT_TRUE(Says(judge, "310 µs at warm-up"));
  for (int i = 0; i < kInlineProbation; ++i) judge.OnLaneBatch(250'000);
  EXPECT_FALSE(judge.Inline());
  EXPECT_TRUE(Says(judge, "250 µs"));
  for (int i = 0; i < kInlineProbation; ++i) judge.OnLaneBatch(40'000);
  EXPECT_TRUE(judge.Inline());
  EXPECT_TRUE(Says(judge, "40 µs"));
}

TEST(Executor, FreeDimensionsAndStateStayOnALane) {
  ModelConfig config = fake::Config();
  config.inline_allowed = true;
  config.signature.inputs[0].shape = {-1};
  const ExecutorJudge free_dim(config);
  EXPECT_FALSE(free_dim.Inline());
  EXPECT_FALSE(free_dim.MeasuresLane());
  EXPECT_TRUE(Says(free_dim, "free dimension"));
  config = fake::Config();
  config.signature.declared = false;
  EXPECT_FALSE(ExecutorJudge(config).MeasuresLane());
  config = fake::Config();
  config.stateful = true;
  config.executor = ExecutorChoice::kInline;
  const ExecutorJudge stateful(config);
  EXPECT_FALSE(stateful.Inline());
  EXPECT_TRUE(Says(stateful, "stateful"));
}

TEST(Executor, WithoutWarmUpRealBatchesDecide) {
  ExecutorJudge judge(fake::Config());
  EXPECT_FALSE(judge.Inline());
  EXPECT_TRUE(judge.MeasuresLane());
  EXPECT_TRUE(Says(judge, "no warm-up"));
  // Eleven slow ones of a hundred: the p90 is slow.
  for (int i = 0; i < kInlineProbation; ++i) judge.OnLaneBatch(i < 11 ? 900'000 : 50'000);
  EXPECT_FALSE(judge.Inline());
  EXPECT_TRUE(Says(judge, "900 µs"));
  // Ten slow ones: it is not.
  for (int i = 0; i < kInlineProbation - 1; ++i) judge.OnLaneBatch(i < 10 ? 900'000 : 50'000);
  EXPECT_FALSE(judge.Inline());
  judge.OnLaneBatch(60'000);
  EXPECT_TRUE(judge.Inline());
  EXPECT_FALSE(judge.MeasuresLane());
  EXPECT_TRUE(Says(judge, "60 µs"));
}

TEST(Executor, SlowInlineBatchesEndInlineOnlyWhenRepeated) {
  ModelConfig config = fake::Config();
  config.inline_allowed = true;
  ExecutorJudge judge(config);
  const auto window = [&](std::int64_t cost_ns) {
    for (int i = 0; i < kInlineProbation; ++i) judge.OnInlineSample(cost_ns);
  };
  window(300'000);
  window(300'000);
  window(100'000);  // the row is broken
  window(300'000);
  window(300'000);
  EXPECT_TRUE(judge.Inline());
  window(310'000);
  EXPECT_FALSE(judge.Inline());
  EXPECT_TRUE(Says(judge, "moved from inline to a lane"));
  EXPECT_TRUE(Says(judge, "310 µs"));
  window(1);
  EXPECT_FALSE(judge.Inline());
}

TEST(Executor, MeasuresFewBatchesUnlessTheClockSaysSlow) {
  ModelConfig config = fake::Config();
  config.inline_allowed = true;
  ExecutorJudge judge(config);
  int sampled = 0;
  for (std::uint64_t i = 0; i < 10 * ExecutorJudge::kSampleEvery; ++i) sampled += judge.SamplesInline() ? 1 : 0;
  EXPECT_EQ(sampled, 10);
  EXPECT_TRUE(judge.SamplesInline());
  EXPECT_FALSE(judge.SamplesInline());
  judge.OnInlineWall(kInlineMaxNs + 1);
  EXPECT_TRUE(judge.SamplesInline());
  EXPECT_FALSE(judge.SamplesInline());
  config.executor = ExecutorChoice::kInline;
  ExecutorJudge pinned(config);
  EXPECT_FALSE(pinned.SamplesInline());
}

}  // namespace
}  // namespace sconce
