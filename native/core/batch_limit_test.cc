#include "core/batch_limit.h"

#include <gtest/gtest.h>

namespace sconce {
namespace {

void Succeed(BatchLimit& limit, std::uint64_t batches) {
  for (std::uint64_t i = 0; i < batches; ++i) limit.OnSuccess();
}

TEST(BatchLimit, HalvesWhatDidNotFitDownToOne) {
  BatchLimit limit(32);
  EXPECT_EQ(limit.current(), 32U);
  EXPECT_FALSE(limit.lowered());
  limit.OnOutOfMemory(20);
  EXPECT_EQ(limit.current(), 10U);
  EXPECT_TRUE(limit.lowered());
  limit.OnOutOfMemory(32);  // an older, larger batch: says nothing new
  EXPECT_EQ(limit.current(), 10U);
  for (int i = 0; i < 5; ++i) limit.OnOutOfMemory(limit.current());
  EXPECT_EQ(limit.current(), 1U);
  EXPECT_EQ(limit.configured(), 32U);
}

TEST(BatchLimit, ComesBackStepByStep) {
  BatchLimit limit(20);
  limit.OnOutOfMemory(20);
  limit.OnOutOfMemory(10);
  ASSERT_EQ(limit.current(), 5U);
  Succeed(limit, BatchLimit::kQuietBatches - 1);
  EXPECT_EQ(limit.current(), 5U);
  Succeed(limit, 1);
  EXPECT_EQ(limit.current(), 10U);
  Succeed(limit, BatchLimit::kQuietBatches);
  EXPECT_EQ(limit.current(), 20U);
  Succeed(limit, 10 * BatchLimit::kQuietBatches);
  EXPECT_EQ(limit.current(), 20U);
}

TEST(BatchLimit, TriesWhatFailsAgainEverLater) {
  BatchLimit limit(8);
  limit.OnOutOfMemory(8);
  std::uint64_t needed = BatchLimit::kQuietBatches;
  for (int round = 0; round < 10; ++round) {
    Succeed(limit, needed - 1);
    EXPECT_EQ(limit.current(), 4U) << round;
    Succeed(limit, 1);
    EXPECT_EQ(limit.current(), 8U) << round;
    limit.OnOutOfMemory(8);
    needed = std::min(2 * needed, BatchLimit::kMaxQuietBatches);
  }
}

}  // namespace
}  // namespace sconce
