#include "core/lone_judge.h"

#include <gtest/gtest.h>

namespace sconce {
namespace {

// Runs as the judge says, in this time each; gives how many were wide.
std::size_t Runs(LoneJudge& judge, std::size_t count, std::int64_t narrow_ns, std::int64_t wide_ns) {
  std::size_t wide = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool now = judge.wide();
    wide += now ? 1 : 0;
    judge.OnRun(now, now ? wide_ns : narrow_ns);
  }
  return wide;
}

constexpr std::size_t kFirst = 2 * LoneJudge::kRuns;

TEST(LoneJudge, KeepsAllCoresWhereTheyAreFaster) {
  LoneJudge judge;
  EXPECT_EQ(Runs(judge, kFirst, 200, 110), LoneJudge::kRuns);
  EXPECT_EQ(Runs(judge, LoneJudge::kBetween, 200, 110), LoneJudge::kBetween);
}

TEST(LoneJudge, TakesOneCoreWhereThatIsFasterAndTriesTheOtherWayNowAndThen) {
  LoneJudge judge;
  Runs(judge, kFirst, 100, 220);
  EXPECT_EQ(Runs(judge, LoneJudge::kBetween, 100, 220), 0u);
  EXPECT_EQ(Runs(judge, LoneJudge::kRuns, 100, 220), LoneJudge::kRuns);
  EXPECT_EQ(Runs(judge, LoneJudge::kBetween, 100, 220), 0u);
}

TEST(LoneJudge, ChangesItsMindWithTheMachine) {
  LoneJudge judge;
  Runs(judge, kFirst, 100, 220);
  Runs(judge, LoneJudge::kBetween, 100, 50);
  Runs(judge, LoneJudge::kRuns, 100, 50);
  EXPECT_EQ(Runs(judge, LoneJudge::kBetween, 100, 50), LoneJudge::kBetween);
}

TEST(LoneJudge, AFewSlowRunsDecideNothing) {
  LoneJudge judge;
  Runs(judge, LoneJudge::kRuns - 4, 200, 110);
  Runs(judge, 4, 200, 100'000);
  Runs(judge, LoneJudge::kRuns, 200, 110);
  EXPECT_TRUE(judge.wide());
}

TEST(LoneJudge, WhatIsAboutEqualStays) {
  LoneJudge judge;
  Runs(judge, kFirst, 97, 100);
  EXPECT_TRUE(judge.wide());
}

// A request may have been given to a lane before the way changed.
TEST(LoneJudge, RunsOfTheOtherWayDoNotEndATrial) {
  LoneJudge judge;
  for (std::size_t i = 0; i < 100; ++i) judge.OnRun(false, 1);
  EXPECT_TRUE(judge.wide());
}

}  // namespace
}  // namespace sconce
