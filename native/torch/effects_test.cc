#include "torch/effects.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

Effects Of(const std::string& lines) { return ReadEffects(testing::ModuleOf(lines)); }

TEST(Effects, StateIsWhateverTheModuleHoldsAndWritesInto) {
  for (const char* lines : {"self.n = self.n + 1\nreturn x", "self.n.add_(1)\nreturn x", "self.n += 1\nreturn x",
                            "y = self.n.view(1)\ny[0] = 3\nreturn x", "torch.add(self.n, 1, out=self.n)\nreturn x",
                            "self.all.append(x)\nreturn x", "self.all[0].add_(1)\nreturn x",
                            "m = self.maybe\nif m is not None:\n  m.add_(1)\nreturn x",
                            "if x.size(0) > 1:\n  self.n.copy_(x[0])\nreturn x"}) {
    EXPECT_TRUE(Of(lines).keeps_state) << lines;
  }
  for (const char* lines :
       {"return x + self.n", "x.add_(1)\nreturn x", "y = self.n + x\ny.relu_()\nreturn y", "return [x, self.n.view(1)]",
        "y = torch.conv1d(x, self.n, self.maybe)\ny.relu_()\nreturn y",
        "y = torch.stack(self.all)\ny.relu_()\nreturn y", "return len(self.all) + x"}) {
    EXPECT_FALSE(Of(lines).keeps_state) << lines;
  }
}

// Filling an object that forward() has just made is no state, as of `with torch.autocast(…)`, which makes one.
TEST(Effects, ObjectsThatTheCallMakesAreNoState) {
  const torch::jit::Module module = testing::ModuleOf("return x");
  torch::jit::Graph& graph = *module.get_method("forward").graph();
  const auto type = c10::ClassType::create("__torch__.Local", module._ivalue()->compilation_unit());
  type->addAttribute("enabled", c10::IntType::get());
  torch::jit::Node* const made = graph.createObject(type);
  graph.prependNode(made);
  const torch::jit::WithInsertPoint here(graph.return_node());
  torch::jit::Value* const one = graph.insertConstant(1);
  graph.insertNode(graph.createSetAttr(made->output(), "enabled", one));
  EXPECT_FALSE(ReadEffects(module).keeps_state);
  graph.insertNode(graph.createSetAttr(graph.inputs()[0], "n", graph.inputs()[1]));
  EXPECT_TRUE(ReadEffects(module).keeps_state);
}

TEST(Effects, WritesAreFoundInEveryForm) {
  for (const char* lines : {"x.add_(1)\nreturn x", "torch.add(x, 1, out=x)\nreturn x", "x[0] = 1\nreturn x"}) {
    EXPECT_TRUE(Of(lines).in_place) << lines;
  }
  EXPECT_FALSE(Of("return torch.relu(x) + 1").in_place);
}

TEST(Effects, WhatAsksForGradients) {
  EXPECT_TRUE(Of("x.requires_grad_(True)\nreturn x").differentiates);
  EXPECT_FALSE(Of("return x").differentiates);
}

// The module saved, loaded with one input x of two floats, as the server would.
Loaded Serve(const std::string& lines) {
  // Tests run side by side, each in a process of its own.
  const std::string path = ::testing::TempDir() + "sconce_effects_" + std::to_string(::getpid()) + ".pt";
  testing::ModuleOf(lines).save(path);
  LoadSpec spec;
  spec.name = "effects";
  spec.path = path;
  spec.signature.declared = true;
  spec.signature.inputs = {{"x", DType::kFloat32, {2}, false}};
  Loaded loaded = testing::MustLoad(spec);
  std::filesystem::remove(path);
  return loaded;
}

// The first float of the answer to (1, 2), or the failure's words.
std::string FirstOf(const Loaded& loaded, const Signature& signature) {
  testing::GoldenCase one;
  one.inputs["x"] = {DType::kFloat32, {2}, {1, 2}, {}};
  const TaskPtr task = testing::MakeTask(signature, {&one});
  Task* const pointer = task.get();
  loaded.runner->Run({&pointer, 1}, *loaded.runner->NewScratch(1), true);
  if (!task->status.ok()) return task->status.message();
  float first = 0;
  std::memcpy(&first, task->answer.data(), sizeof first);
  return std::to_string(static_cast<int>(first));
}

TEST(Effects, ABufferThatCountsStartsUntouchedOnOneLane) {
  const Loaded loaded = Serve("self.n.add_(1)\nreturn x * 0 + self.n");
  EXPECT_EQ(loaded.config.lanes.size(), 1U);
  EXPECT_FALSE(loaded.config.inline_allowed);
  EXPECT_EQ(loaded.config.max_batch_rows, 1U);
  for (const char* expected : {"1", "2", "3"}) EXPECT_EQ(FirstOf(loaded, loaded.config.signature), expected);
  const Loaded unseen = Serve("self.n.add_(1)\nreturn x + 0 * self.n");  // today's answers do not show it
  EXPECT_EQ(unseen.config.max_batch_rows, 1U) << unseen.report.batch_reason;
}

TEST(Effects, GradientsInsideForwardWork) {
  const Loaded loaded = Serve(
      "x.requires_grad_(True)\ng = torch.autograd.grad([(x ** 3).sum()], [x])[0]\nassert g is not None\nreturn g");
  EXPECT_EQ(loaded.config.max_batch_rows, 64U) << loaded.report.batch_reason;
  EXPECT_EQ(FirstOf(loaded, loaded.config.signature), "3");
}

TEST(Effects, NoDefaultBatchWhereSamplesCouldChangeEachOther) {
  const Loaded branches = Serve("if bool((x > 100).any()):\n  return -x\nreturn x");
  EXPECT_EQ(branches.config.max_batch_rows, 1U);
  EXPECT_FALSE(branches.config.inline_allowed);
  EXPECT_NE(branches.report.batch_reason.find("decides by the values"), std::string::npos);
  const Loaded anywhere = Serve("return torch.where((x > 100).flatten().any(0), -x, x)");
  EXPECT_EQ(anywhere.config.max_batch_rows, 1U);
  EXPECT_NE(anywhere.report.batch_reason.find("far larger"), std::string::npos) << anywhere.report.batch_reason;
  const Loaded averages = Serve("return x - x.mean(0, True)");
  EXPECT_EQ(averages.config.max_batch_rows, 1U);
  EXPECT_NE(averages.report.batch_reason.find("does not equal"), std::string::npos) << averages.report.batch_reason;
  EXPECT_EQ(Serve("return x.softmax(1)").config.max_batch_rows, 64U);
}

TEST(Effects, OutputsWithoutAWireFormSayWhy) {
  for (const auto& [lines, words] :
       {std::pair{"return x.to_sparse()", "a sparse tensor"},
        {"return torch._nested_tensor_from_mask(x.unsqueeze(2), x > 0)", "a nested tensor"}}) {
    const Loaded loaded = Serve(lines);
    EXPECT_NE(FirstOf(loaded, loaded.config.signature).find(words), std::string::npos)
        << FirstOf(loaded, loaded.config.signature);
  }
}

}  // namespace
}  // namespace sconce::torch_engine
