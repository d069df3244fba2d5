// The forms that take part: convolutions with their weights channels last among them, where sizes are known.
#include "torch/forms.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <utility>

#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

using testing::MustLoad;
using testing::SavedModule;

constexpr const char* kChannelsLast = "frozen, channels last";

// Two convolutions of 1 by 1 under a padded one.
SavedModule Convolutions(const std::string& tail) {
  torch::jit::Module module("m");
  at::manual_seed(7);
  module.register_parameter("a", at::randn({8, 3, 3, 3}), false);
  module.register_parameter("b", at::randn({8, 8, 1, 1}), false);
  module.define(
      "def forward(self, x):\n"
      "  y = torch.conv2d(x, self.a, None, [1, 1], [1, 1])\n"
      "  y = torch.conv2d(torch.relu(y), self.b)\n" +
      tail);
  return SavedModule(std::move(module));
}

TEST(Forms, ConvolutionsAreTriedChannelsLast) {
  const SavedModule model = Convolutions("  return y.mean([2, 3])\n");
  const LoadReport report = MustLoad(model.Spec({3, 16, 16})).report;
  EXPECT_NE(report.form_reason.find(std::string(kChannelsLast) + " takes"), std::string::npos) << report.form_reason;
}

TEST(Forms, AModelWithoutKernelsIsNot) {
  const LoadReport report = MustLoad(testing::SpecFor("mlp")).report;
  EXPECT_EQ(report.form_reason.find(kChannelsLast), std::string::npos) << report.form_reason;
  EXPECT_NE(report.form_reason.find("frozen takes"), std::string::npos) << report.form_reason;
}

TEST(Forms, AKernelBesideFarMoreOtherWeightsIsNoReasonEither) {
  torch::jit::Module module("m");
  module.register_parameter("a", at::ones({2, 3, 1, 1}), false);
  module.register_parameter("b", at::ones({2, 200}), false);
  module.define("def forward(self, x):\n  return torch.conv2d(x, self.a).mean([2, 3]).matmul(self.b)\n");
  const SavedModule saved(std::move(module));
  Result<std::unique_ptr<TorchScript>> script = LoadTorchScript(saved.path());
  ASSERT_TRUE(script.ok());
  EXPECT_FALSE((*script)->has_kernels());
}

TEST(Forms, AModelThatTakesNoBatchIsComparedBySinglesAlone) {
  torch::jit::Module module("m");
  module.register_parameter("a", at::ones({4}), false);
  module.define("def forward(self, x):\n  return (x * self.a).relu().view([1, 4])\n");
  const SavedModule model(std::move(module));
  const LoadReport report = MustLoad(model.Spec({4})).report;
  EXPECT_NE(report.form_reason.find("frozen takes "), std::string::npos) << report.form_reason;
  EXPECT_EQ(report.form_reason.find("nan"), std::string::npos) << report.form_reason;
  EXPECT_NE(report.batch_reason.find("does not equal the single runs"), std::string::npos) << report.batch_reason;
}

TEST(Forms, SizesThatAreNotKnownRuleItOut) {
  const SavedModule model = Convolutions("  return y.mean([2, 3])\n");
  const LoadReport report = MustLoad(model.Spec({3, -1, -1})).report;
  EXPECT_EQ(report.form_reason.find(kChannelsLast), std::string::npos) << report.form_reason;
}

TEST(Forms, CodeThatNeedsTheUsualOrderLeavesItOut) {
  const SavedModule model = Convolutions("  return y.view([y.size(0), -1])\n");
  const LoadReport report = MustLoad(model.Spec({3, 16, 16})).report;
  EXPECT_NE(report.form_reason.find(std::string(kChannelsLast) + " left out"), std::string::npos) << report.form_reason;
}

TEST(Forms, AnAnswerWithFourDimensionsIsInTheUsualOrder) {
  const SavedModule model = Convolutions("  return y\n");
  LoadSpec spec = model.Spec({3, 4, 4});
  Result<std::unique_ptr<TorchScript>> plain = LoadTorchScript(spec.path);
  ASSERT_TRUE(plain.ok());
  Result<std::unique_ptr<TorchScript>> last = (*plain)->Converted({{}, true});
  ASSERT_TRUE(last.ok()) << last.status().message();
  EXPECT_STREQ((*last)->form(), kChannelsLast);
  EXPECT_FALSE((*last)->reduced());
  RunnerOptions options;
  options.signature = spec.signature;
  Result<ArgPlan> plan = PlanDeclared((*plain)->arguments(), spec.signature);
  ASSERT_TRUE(plan.ok());
  options.plan = *plan;
  Result<std::vector<TaskPtr>> samples = MakeSamples(spec.signature, {}, 3);
  ASSERT_TRUE(samples.ok());
  std::vector<std::vector<Answer>> answers;
  for (const TorchScript* script : {plain->get(), last->get()}) {
    TorchRunner runner(std::make_unique<BorrowedExecutable>(*script), options);
    runner.set_max_rows(3);
    const auto scratch = runner.NewScratch(1);
    std::vector<Task*> tasks;
    for (const TaskPtr& sample : *samples) tasks.push_back(sample.get());
    runner.Run(tasks, *scratch, false);
    answers.emplace_back();
    for (const TaskPtr& sample : *samples) {
      ASSERT_TRUE(sample->status.ok()) << sample->status.message();
      answers.back().push_back(TakeAnswer(*sample));
    }
  }
  for (std::size_t i = 0; i < answers[0].size(); ++i) {
    std::string difference;
    EXPECT_TRUE(SameAnswer(answers[1][i], answers[0][i], kFormTolerance, &difference)) << difference;
  }
}

}  // namespace
}  // namespace sconce::torch_engine
