// A module that is loaded onto another device, here the one without memory: whatever stays behind is refused there.
#include "torch/torchscript.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

const c10::Device kMeta{c10::kMeta};

// A weight, a buffer, and an attribute that is neither.
torch::jit::Module Sum() {
  torch::jit::Module module("m");
  module.register_parameter("weight", at::full({3}, 1.0), false);
  module.register_buffer("buffer", at::full({3}, 2.0));
  module.register_attribute("table", c10::TensorType::get(), at::full({3}, 3.0));
  module.define("def forward(self, x):\n  return x + self.weight + self.buffer + self.table\n");
  module.eval();
  return module;
}

// Frozen before it was saved, as many are: nothing but constants of the code.
torch::jit::Module Frozen() {
  torch::jit::Module module("m");
  module.register_parameter("weight", at::full({3}, 1.0), false);
  module.define("def forward(self, x):\n  return x + self.weight\n");
  module.eval();
  return torch::jit::freeze(module);
}

at::Tensor RunOnMeta(const torch::jit::Module& module) {
  const testing::SavedModule saved(module);
  const auto plain = LoadTorchScript(saved.path());
  EXPECT_TRUE(plain.ok()) << plain.status().message();
  const auto moved = plain.value()->On(kMeta);
  EXPECT_TRUE(moved.ok()) << moved.status().message();
  EXPECT_EQ(moved.value()->weights_bytes(), plain.value()->weights_bytes());
  torch::jit::Stack stack;
  moved.value()->Begin(stack);
  stack.emplace_back(at::ones({3}, at::TensorOptions(kMeta)));
  moved.value()->Call(stack);
  return stack.back().toTensor();
}

TEST(TorchScript, OnAnotherDeviceItsTensorsAreThere) { EXPECT_TRUE(RunOnMeta(Sum()).is_meta()); }

TEST(TorchScript, OnAnotherDeviceItsConstantsAreThere) {
  ASSERT_EQ(Frozen().parameters().size(), 0U);
  EXPECT_TRUE(RunOnMeta(Frozen()).is_meta());
}

TEST(TorchScript, ConstantsAreWeights) {
  const testing::SavedModule saved(torch::jit::freeze(Sum()));
  const auto plain = LoadTorchScript(saved.path());
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain.value()->weights_bytes(), 3 * 3 * sizeof(float));
}

}  // namespace
}  // namespace sconce::torch_engine
