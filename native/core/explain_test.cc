#include "core/explain.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sconce {
namespace {

template <typename F>
std::string Wrong(F&& change) {
  ExplainSpec spec;
  change(spec);
  return WrongSetting(spec);
}

TEST(Explain, SettingsOutOfTheirLimitsAreNamed) {
  EXPECT_EQ(Wrong([](ExplainSpec&) {}), "");
  EXPECT_NE(Wrong([](ExplainSpec& s) { s.steps = 0; }).find("steps"), std::string::npos);
  EXPECT_NE(Wrong([](ExplainSpec& s) { s.steps = kMaxExplainSteps + 1; }).find("steps"), std::string::npos);
  EXPECT_EQ(Wrong([](ExplainSpec& s) { s.steps = 1; }), "");
  EXPECT_NE(Wrong([](ExplainSpec& s) {
              s.steps = 1;
              s.rule = IntegralRule::kRiemannLeft;
            }).find("steps"),
            std::string::npos);
  EXPECT_NE(Wrong([](ExplainSpec& s) { s.batch = 0; }).find("batch"), std::string::npos);
  EXPECT_NE(Wrong([](ExplainSpec& s) { s.batch = kMaxExplainBatch + 1; }).find("batch"), std::string::npos);
  EXPECT_NE(Wrong([](ExplainSpec& s) { s.target = {3, -1}; }).find("target"), std::string::npos);
  EXPECT_NE(Wrong([](ExplainSpec& s) { s.window = {-1, 2}; }).find("window"), std::string::npos);
  EXPECT_NE(Wrong([](ExplainSpec& s) { s.baseline = std::numeric_limits<double>::quiet_NaN(); }).find("baseline"),
            std::string::npos);
}

}  // namespace
}  // namespace sconce
