#include "torch/side_by_side.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <cmath>
#include <utility>

#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

// Two lanes with two samples of `width` floats each, for a model that multiplies four.
double Seconds(std::int64_t width) {
  torch::jit::Module module("m");
  module.register_parameter("a", at::ones({4, 4}), false);
  module.define("def forward(self, x):\n  return x.matmul(self.a)\n");
  const testing::SavedModule model(std::move(module));
  const LoadSpec spec = model.Spec({width});
  Result<std::unique_ptr<TorchScript>> script = LoadTorchScript(spec.path);
  EXPECT_TRUE(script.ok());
  RunnerOptions options;
  options.signature = spec.signature;
  options.plan = *PlanDeclared((*script)->arguments(), spec.signature);
  std::vector<std::vector<TaskPtr>> samples;
  for (int lane = 0; lane < 2; ++lane) samples.push_back(std::move(*MakeSamples(spec.signature, {}, 2)));
  SideBySide lanes(std::move(samples));
  EXPECT_EQ(lanes.lanes(), 2U);
  return lanes.Seconds(**script, options, 2);
}

TEST(SideBySide, ABatchOnOneLaneWhileTheOtherRunsItToo) {
  EXPECT_GT(Seconds(4), 0.0);
  EXPECT_TRUE(std::isfinite(Seconds(4)));
}

TEST(SideBySide, ARunThatFailsEndsItWithoutATime) { EXPECT_TRUE(std::isinf(Seconds(3))); }

}  // namespace
}  // namespace sconce::torch_engine
