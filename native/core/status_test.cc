#include "core/status.h"

#include <gtest/gtest.h>

#include <set>

namespace sconce {
namespace {

TEST(Status, EveryCodeHasItsOwnName) {
  std::set<std::string> names;
  for (int i = 0; i < kCodeCount; ++i) names.insert(CodeName(static_cast<Code>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kCodeCount));
  EXPECT_STREQ(CodeName(Code::kQueueFull), "queue_full");
  EXPECT_STREQ(CodeName(Code::kConflict), "conflict");
  EXPECT_STREQ(CodeName(static_cast<Code>(200)), "internal");
}

TEST(Status, ResultHoldsAValueOrTheReason) {
  const Result<int> good(7);
  EXPECT_TRUE(good.ok());
  EXPECT_TRUE(good.status().ok());
  EXPECT_EQ(good.value(), 7);
  const Result<int> bad(Status(Code::kBadRequest, "no"));
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), Code::kBadRequest);
  EXPECT_EQ(bad.status().message(), "no");
}

}  // namespace
}  // namespace sconce
