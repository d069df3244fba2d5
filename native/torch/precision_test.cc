// Models that run in a shorter floating type: near float32's answers, in float32, or refused.
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <unistd.h>

#include <filesystem>

#include "torch/loader.h"
#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

using testing::Deviation;
using testing::Golden;
using testing::GoldenCase;
using testing::MakeTask;
using testing::MustLoad;
using testing::ReadGolden;
using testing::Refusal;
using testing::SpecFor;

constexpr double kNear = 0.05;

LoadSpec Spec(const std::string& name, Precision precision) {
  LoadSpec spec = SpecFor(name);
  spec.precision = precision;
  spec.precision_tolerance = kNear;
  return spec;
}

// The golden cases alone and together, as float32 and near the float32 goldens.
void ExpectNear(const std::string& name, Precision precision, const std::string& form) {
  const Golden golden = ReadGolden(name);
  const Loaded loaded = MustLoad(Spec(name, precision));
  EXPECT_EQ(loaded.report.form.find(form), 0u) << loaded.report.form << ": " << loaded.report.form_reason;
  EXPECT_NE(loaded.report.form_reason.find("differ by"), std::string::npos) << loaded.report.form_reason;
  const auto scratch = loaded.runner->NewScratch(1);
  for (const GoldenCase& one : golden.cases) {
    const TaskPtr task = MakeTask(golden.signature, {&one});
    Task* const alone = task.get();
    loaded.runner->Run({&alone, 1}, *scratch, false);
    ASSERT_TRUE(task->status.ok()) << task->status.message();
    EXPECT_LE(Deviation(*task, 0, one, kNear), 1) << name;
  }
}

TEST(Precision, Bfloat16IsNearFloat32AndAnswersInIt) {
  ExpectNear("mlp", Precision::kBfloat16, "bfloat16");
  ExpectNear("convnet", Precision::kBfloat16, "bfloat16");
}

TEST(Precision, WholeNumbersStayWhole) { ExpectNear("encoder", Precision::kBfloat16, "bfloat16"); }

TEST(Precision, Float16IsNearFloat32) { ExpectNear("mlp", Precision::kFloat16, "float16"); }

TEST(Precision, HalvesTheWeights) {
  const Loaded whole = MustLoad(SpecFor("mlp"));
  const Loaded half = MustLoad(Spec("mlp", Precision::kBfloat16));
  EXPECT_EQ(half.report.weights_bytes * 2, whole.report.weights_bytes);
}

TEST(Precision, AnswersTooFarAreRefusedWithTheDistance) {
  LoadSpec spec = Spec("mlp", Precision::kBfloat16);
  spec.precision_tolerance = 1e-9;
  const Status refused = Refusal(spec);
  EXPECT_NE(refused.message().find("precisionTolerance"), std::string::npos) << refused.message();
  EXPECT_NE(refused.message().find("differ by"), std::string::npos) << refused.message();
}

// A dict of a float64 and a float32 output, saved at `path`.
void SaveMixed(const std::string& path) {
  torch::jit::Module module("m");
  module.define("def forward(self, x):\n  return {'wide': x, 'narrow': x.float()}\n");
  module.save(path);
}

TEST(Precision, AFloat64OutputIsRefusedByNameAndDtype) {
  LoadSpec spec = Spec("mlp", Precision::kBfloat16);
  spec.path = ::testing::TempDir() + "sconce_precision_" + std::to_string(::getpid()) + ".pt";
  spec.signature.inputs = {{"x", DType::kFloat64, {2}, false}};
  SaveMixed(spec.path);
  const std::string words = Refusal(spec).message();
  EXPECT_NE(words.find("output 'wide' is float32 [2] instead of float64 [2]"), std::string::npos) << words;
  EXPECT_EQ(words.find("precisionTolerance"), std::string::npos) << words;
  EXPECT_EQ(words.find("inf"), std::string::npos) << words;
  spec.precision = Precision::kAuto;
  const Loaded loaded = MustLoad(spec);
  EXPECT_NE(loaded.report.form_reason.find("instead of float64"), std::string::npos) << loaded.report.form_reason;
  std::filesystem::remove(spec.path);
}

TEST(Precision, AutoKeepsFloat32WhereTheShorterTypeIsTooFar) {
  LoadSpec spec = Spec("mlp", Precision::kAuto);
  spec.precision_tolerance = 1e-9;
  const Loaded loaded = MustLoad(spec);
  EXPECT_EQ(loaded.report.form.find("bfloat16"), std::string::npos) << loaded.report.form;
  EXPECT_NE(loaded.report.form_reason.find("bfloat16 left out"), std::string::npos) << loaded.report.form_reason;
}

TEST(Precision, WithoutSamplesNothingIsCompared) {
  LoadSpec spec = Spec("mlp", Precision::kBfloat16);
  spec.signature = {};
  EXPECT_NE(Refusal(spec).message().find("cannot be compared"), std::string::npos);
  spec.precision = Precision::kAuto;
  EXPECT_EQ(MustLoad(spec).report.form, "plain");
}

TEST(Precision, AModelThatKeepsStateIsRefused) {
  EXPECT_NE(Refusal(Spec("counter", Precision::kBfloat16)).message().find("changes its attributes"), std::string::npos);
}

TEST(Precision, ACompiledPackageHasItsOwn) {
  LoadSpec spec = Spec("mlp", Precision::kAuto);
  spec.kind = ArtifactKind::kAotInductor;
  EXPECT_NE(Refusal(spec).message().find("types it was compiled with"), std::string::npos);
}

}  // namespace
}  // namespace sconce::torch_engine
