// How often warm-up runs a model, and what it leaves out when the outcome cannot matter.
#include "torch/warmup.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/library.h>

#include <atomic>
#include <memory>
#include <utility>

#include "torch/test_support.h"
#include "torch/trial.h"

namespace sconce::torch_engine {
namespace {

using testing::MustLoad;
using testing::SavedModule;

std::atomic<int> runs{0};

// Counts its calls, each of which takes that much CPU time however many rows there are.
at::Tensor Burn(const at::Tensor& x, double seconds) {
  ++runs;
  const double end = ThreadSeconds() + seconds;
  while (ThreadSeconds() < end) {
  }
  return x * 2;
}

TORCH_LIBRARY(sconce_warmup_test, library) { library.def("burn(Tensor x, float seconds) -> Tensor", &Burn); }

// `ops` in a module's code is this library.
struct Ops final : torch::jit::Resolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction&,
                                                         const torch::jit::SourceRange&) override {
    if (name != "ops") return nullptr;
    return std::make_shared<torch::jit::BuiltinModule>("sconce_warmup_test");
  }
};

SavedModule Burner(const std::string& seconds) {
  torch::jit::Module module("m");
  module.register_parameter("w", at::ones({4}), false);
  module.define("def forward(self, x):\n  return ops.burn(x * self.w, " + seconds + ")\n", std::make_shared<Ops>());
  return SavedModule(std::move(module));
}

TEST(WarmUp, AModelThatTakesLongRunsFewTimes) {
  const SavedModule model = Burner("0.15");
  runs = 0;
  const Loaded loaded = MustLoad(model.Spec({4}));
  EXPECT_EQ(loaded.report.warmup_reason, "ok");
  EXPECT_GT(loaded.report.warm_batch_p90_us, 100'000);
  // 3 first runs; plain's answers to two samples; 3 runs of each of two forms; a round of timing; one as clients see
  // it.
  EXPECT_LE(runs, 3 + 2 + 2 * 3 + 3 + 1);
  // No batch among them: none would be larger than one sample.
  EXPECT_EQ(loaded.config.max_batch_rows, 1u);
  EXPECT_EQ(loaded.report.batch_reason.find("1: a sample takes "), 0u) << loaded.report.batch_reason;
}

TEST(WarmUp, ABatchThatWasAskedForIsTriedHoweverLongItTakes) {
  const SavedModule model = Burner("0.15");
  LoadSpec spec = model.Spec({4});
  spec.batch_size = 2;
  const Loaded loaded = MustLoad(spec);
  EXPECT_EQ(loaded.config.max_batch_rows, 2u);
  EXPECT_NE(loaded.report.batch_reason.find("equals the single runs"), std::string::npos) << loaded.report.batch_reason;
}

}  // namespace
}  // namespace sconce::torch_engine
