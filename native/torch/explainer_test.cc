// Explanations of the fixtures against Captum's of the same files (test/models/explain_goldens.py).
#include "torch/explainer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "torch/numbers.h"
#include "torch/test_json.h"
#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

using testing::GoldenCase;
using testing::GoldenTensor;
using testing::Json;
using testing::MakeTask;
using testing::MustLoad;
using testing::ReadGolden;
using testing::SpecFor;

struct Expected {
  ExplainSpec spec;
  GoldenCase inputs;
  std::map<std::string, GoldenTensor> attributions;
  double score = 0;
  double delta = 0;
};

IntegralRule RuleCalled(const std::string& name) {
  const std::map<std::string, IntegralRule> rules = {{"gausslegendre", IntegralRule::kGaussLegendre},
                                                     {"riemann_left", IntegralRule::kRiemannLeft},
                                                     {"riemann_right", IntegralRule::kRiemannRight},
                                                     {"riemann_middle", IntegralRule::kRiemannMiddle},
                                                     {"riemann_trapezoid", IntegralRule::kRiemannTrapezoid}};
  return rules.at(name);
}

std::array<std::int64_t, 2> Sides(const std::string& text) {
  const std::size_t x = text.find('x');
  return {std::stoll(text.substr(0, x)), std::stoll(text.substr(x + 1))};
}

ExplainSpec ReadSpec(const Json& options) {
  ExplainSpec spec;
  spec.detailed = true;
  spec.target = {std::stoll(options.at("target").text)};
  if (options.has("steps")) spec.steps = std::stoll(options.at("steps").text);
  if (options.has("rule")) spec.rule = RuleCalled(options.at("rule").text);
  if (options.has("batch")) spec.batch = std::stoll(options.at("batch").text);
  if (options.has("baseline")) spec.baseline = std::stod(options.at("baseline").text);
  if (options.has("window")) spec.window = Sides(options.at("window").text);
  if (options.has("stride")) spec.stride = Sides(options.at("stride").text);
  if (options.has("method")) {
    const bool saliency = options.at("method").text == "saliency";
    spec.method = saliency ? ExplainMethod::kSaliency : ExplainMethod::kOcclusion;
  }
  return spec;
}

std::map<std::string, GoldenTensor> ReadTensors(const Json& json, const Signature& signature) {
  std::map<std::string, GoldenTensor> tensors;
  for (const auto& [name, value] : json.fields) {
    GoldenTensor& tensor = tensors[name];
    for (const InputSpec& input : signature.inputs) {
      if (input.name == name) tensor.dtype = input.dtype;
    }
    for (const Json& dim : value.at("shape").items) tensor.shape.push_back(std::stoll(dim.text));
    for (const Json& number : value.at("data").items) {
      tensor.data.push_back(std::strtod(number.text.c_str(), nullptr));
      tensor.ints.push_back(std::strtoll(number.text.c_str(), nullptr, 10));
    }
  }
  return tensors;
}

std::vector<Expected> ReadExpected(const std::string& name, const Signature& signature) {
  std::ifstream file(std::string(SCONCE_FIXTURES) + "/explanations/" + name + ".json");
  EXPECT_TRUE(file) << name;
  const Json json = testing::JsonReader({std::istreambuf_iterator<char>(file), {}}).Value();
  std::vector<Expected> all;
  for (const Json& one : json.at("cases").items) {
    Expected& expected = all.emplace_back();
    expected.spec = ReadSpec(one.at("options"));
    expected.inputs.inputs = ReadTensors(one.at("inputs"), signature);
    expected.attributions = ReadTensors(one.at("attributions"), signature);
    expected.score = std::strtod(one.at("score").text.c_str(), nullptr);
    expected.delta = std::strtod(one.at("delta").text.c_str(), nullptr);
  }
  return all;
}

double At(const Task& task, std::size_t leaf, std::size_t k) {
  const LeafInfo& info = task.leaves[leaf];
  return LoadNumber(info.dtype, task.answer.data() + info.offset + k * ByteSize(info.dtype));
}

// The largest difference from `expected`, relative to its largest number.
double Deviation(const Task& task, std::size_t leaf, const GoldenTensor& expected) {
  EXPECT_TRUE(task.leaves[leaf].shape == expected.shape) << task.leaves[leaf].shape.ToString();
  double largest = 0;
  double worst = 0;
  for (std::size_t k = 0; k < expected.data.size(); ++k) {
    largest = std::max(largest, std::abs(expected.data[k]));
    worst = std::max(worst, std::abs(At(task, leaf, k) - expected.data[k]));
  }
  return worst / largest;
}

TaskPtr Ask(const Signature& signature, const std::vector<const GoldenCase*>& rows, const ExplainSpec& spec) {
  TaskPtr task = MakeTask(signature, rows);
  task->explain = std::make_shared<ExplainSpec>(spec);
  return task;
}

class Captum : public ::testing::TestWithParam<const char*> {};

TEST_P(Captum, SaysTheSame) {
  const Loaded loaded = MustLoad(SpecFor(GetParam()));
  const Signature& signature = loaded.config.signature;
  const std::vector<Expected> all = ReadExpected(GetParam(), signature);
  ASSERT_FALSE(all.empty());
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const TaskPtr task = Ask(signature, {&all[i].inputs}, all[i].spec);
    loaded.runner->Explain(*task);
    ASSERT_TRUE(task->status.ok()) << task->status.message();
    std::size_t inputs = 0;
    for (const InputSpec& input : signature.inputs) {  // the floating ones, or the ids
      if (!all[i].attributions.contains(input.name)) continue;
      EXPECT_LE(Deviation(*task, inputs++, all[i].attributions.at(input.name)), 1e-4);
    }
    ASSERT_EQ(inputs, all[i].attributions.size());
    ASSERT_EQ(task->leaves.size(), inputs + 3);
    EXPECT_EQ(At(*task, inputs, 0), static_cast<double>(all[i].spec.target[0]));
    EXPECT_NEAR(At(*task, inputs + 1, 0), all[i].score, 1e-5);
    EXPECT_NEAR(At(*task, inputs + 2, 0), all[i].delta, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Captum, ::testing::Values("mlp", "convnet", "swapped", "encoder"));

Status StatusOf(const std::string& model, const ExplainSpec& spec) {
  const Loaded loaded = MustLoad(SpecFor(model));
  const testing::Golden golden = ReadGolden(model);
  const TaskPtr task = Ask(golden.signature, {&golden.cases[0]}, spec);
  loaded.runner->Explain(*task);
  return task->status;
}

std::string TextOf(const std::string& model, const ExplainSpec& spec, std::size_t rows) {
  const Loaded loaded = MustLoad(SpecFor(model));
  const testing::Golden golden = ReadGolden(model);
  std::vector<const GoldenCase*> cases;
  for (std::size_t i = 0; i < rows; ++i) cases.push_back(&golden.cases[i]);
  const TaskPtr task = Ask(golden.signature, cases, spec);
  task->format = OutputFormat::kJson;
  loaded.runner->Explain(*task);
  EXPECT_TRUE(task->status.ok()) << task->status.message();
  return {reinterpret_cast<const char*>(task->answer.data()), task->answer.size()};
}

TEST(Explainer, AnswersLikeTorchServe) {
  ExplainSpec spec;
  spec.steps = 3;
  EXPECT_EQ(TextOf("mlp", spec, 1).substr(0, 1), "[");
  EXPECT_EQ(TextOf("mlp", spec, 2).substr(0, 18), "{\"explanations\":[[");
  EXPECT_EQ(TextOf("swapped", spec, 1).substr(0, 6), "{\"b\":[");
  spec.detailed = true;
  spec.predicted = true;
  const std::string text = TextOf("mlp", spec, 1);
  EXPECT_EQ(text.substr(0, 17), "{\"attributions\":[");
  const testing::Golden golden = ReadGolden("mlp");
  const std::vector<double>& scores = golden.cases[0].outputs[0].second.data;
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  EXPECT_NE(text.find("\"target\":[" + std::to_string(best) + "]"), std::string::npos) << text;
}

TEST(Explainer, WhatCannotBeIsSaid) {
  ExplainSpec spec;
  spec.target = {4};
  EXPECT_EQ(StatusOf("mlp", spec).code(), Code::kBadRequest);
  EXPECT_NE(StatusOf("mlp", spec).message().find("[4]"), std::string::npos);
  spec.target = {1, 1};
  EXPECT_EQ(StatusOf("mlp", spec).code(), Code::kBadRequest);
  spec = {};
  EXPECT_EQ(StatusOf("integers", spec).code(), Code::kNotImplemented);
  spec.method = ExplainMethod::kOcclusion;
  spec.window = {25, 3};
  EXPECT_EQ(StatusOf("convnet", spec).code(), Code::kBadRequest);
  spec.window = {3, 3};
  spec.stride = {4, 3};
  EXPECT_EQ(StatusOf("convnet", spec).code(), Code::kBadRequest);
}

TEST(Explainer, TokenIds) {
  ExplainSpec spec;
  spec.baseline = 0.5;
  EXPECT_EQ(StatusOf("encoder", spec).code(), Code::kBadRequest);
  spec.baseline = 50;  // one past the vocabulary
  EXPECT_EQ(StatusOf("encoder", spec).code(), Code::kBadRequest);
  EXPECT_NE(StatusOf("encoder", spec).message().find("embedding"), std::string::npos);
  spec.baseline = 0;
  spec.method = ExplainMethod::kSaliency;
  EXPECT_EQ(StatusOf("encoder", spec).code(), Code::kNotImplemented);
}

// How much the score falls when one token is replaced by the baseline.
TEST(Explainer, TokensCanBeOccluded) {
  const Loaded loaded = MustLoad(SpecFor("encoder"));
  const testing::Golden golden = ReadGolden("encoder");
  GoldenCase covered = golden.cases[0];
  covered.inputs["ids"].ints[2] = 9;
  const auto score = [&](const GoldenCase& one) {
    const TaskPtr task = MakeTask(golden.signature, {&one});
    Task* const pointer = task.get();
    const auto scratch = loaded.runner->NewScratch(1);
    loaded.runner->Run({&pointer, 1}, *scratch, true);
    return At(*task, 0, 3);
  };
  ExplainSpec spec;
  spec.method = ExplainMethod::kOcclusion;
  spec.target = {3};
  spec.baseline = 9;
  spec.window = {1, 1};
  const TaskPtr task = Ask(golden.signature, {&golden.cases[0]}, spec);
  loaded.runner->Explain(*task);
  ASSERT_TRUE(task->status.ok()) << task->status.message();
  EXPECT_NEAR(At(*task, 0, 2), score(golden.cases[0]) - score(covered), 1e-5);
}

TEST(Explainer, AModelThatWritesIntoItsInputSeesItWhole) {
  ExplainSpec spec;
  spec.detailed = true;
  const std::string text = TextOf("in_place", spec, 1);
  const testing::Golden golden = ReadGolden("in_place");
  const auto at = text.find("\"score\":");
  ASSERT_NE(at, std::string::npos);
  EXPECT_NEAR(std::strtod(text.c_str() + at + 8, nullptr), golden.cases[0].outputs[0].second.data[0], 1e-5);
}

TEST(Explainer, StatefulModelsGiveNone) {
  const Loaded loaded = MustLoad(SpecFor("counter"));
  Task task;
  task.explain = std::make_shared<ExplainSpec>();
  loaded.runner->Explain(task);
  EXPECT_EQ(task.status.code(), Code::kNotImplemented);
}

TEST(Explainer, AFileThatWasReplacedIsNotTakenForTheModel) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("sconce-explain-" + std::to_string(getpid()) + ".pt");
  LoadSpec spec = SpecFor("mlp");
  std::filesystem::copy_file(spec.path, path);
  spec.path = path;
  const Loaded loaded = MustLoad(spec);
  std::filesystem::remove(path);
  const testing::Golden golden = ReadGolden("mlp");
  const TaskPtr gone = Ask(golden.signature, {&golden.cases[0]}, {});
  loaded.runner->Explain(*gone);
  EXPECT_EQ(gone->status.code(), Code::kNotReady);
  std::filesystem::copy_file(SpecFor("convnet").path, path);
  loaded.runner->Explain(*gone);
  EXPECT_EQ(gone->status.code(), Code::kNotReady);
  std::filesystem::remove(path);
}

TEST(Explainer, EndsBetweenTwoRunsWhenNobodyWaits) {
  const Loaded loaded = MustLoad(SpecFor("mlp"));
  const testing::Golden golden = ReadGolden("mlp");
  const TaskPtr task = Ask(golden.signature, {&golden.cases[0]}, {});
  task->cancelled = std::make_shared<std::atomic<bool>>(true);
  loaded.runner->Explain(*task);
  EXPECT_EQ(task->status.code(), Code::kCancelled);
}

}  // namespace
}  // namespace sconce::torch_engine
