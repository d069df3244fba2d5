// What Load refuses and what it says about what it takes.
#include "torch/loader.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

using testing::FixturePath;
using testing::MustLoad;
using testing::Refusal;
using testing::SpecFor;

class Folder {
 public:
  Folder() : path_(::testing::TempDir() + "sconce_loader_" + std::to_string(::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Load, InitialiseAcceptsTheLibraryItWasBuiltWith) {
  EXPECT_TRUE(Initialise().ok()) << Initialise().message();
  EXPECT_EQ(Info().running, Info().built_against);
  EXPECT_FALSE(Info().cpu_capability.empty());
}

TEST(Load, TellsEachPhaseAsItBegins) {
  std::vector<std::string> phases;
  LoadSpec spec = SpecFor("mlp");
  spec.progress = [&](const char* phase) { phases.emplace_back(phase); };
  MustLoad(spec);
  EXPECT_EQ(phases, (std::vector<std::string>{"load", "warm-up"}));
  // Its reading began, and its warm-up did not.
  phases.clear();
  const Folder folder;
  spec.path = folder.Write("no.pt", "no model");
  EXPECT_FALSE(Refusal(spec).ok());
  EXPECT_EQ(phases, std::vector<std::string>{"load"});
}

TEST(Load, TellsWhatItChose) {
  const Loaded loaded = MustLoad(SpecFor("mlp"));
  EXPECT_EQ(loaded.report.warmup_reason, "ok");
  EXPECT_EQ(loaded.config.max_batch_rows, 64u);
  ASSERT_EQ(loaded.report.outputs.size(), 1u);
  EXPECT_EQ(loaded.report.outputs[0].name, "output_0");
  EXPECT_EQ(loaded.report.outputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(loaded.report.outputs[0].shape, Shape({4}));
  EXPECT_EQ(loaded.report.weights_bytes, (16u * 64 + 64 + 64 * 64 + 64 + 64 * 4 + 4) * 4);
  EXPECT_GT(loaded.report.warm_batch_p90_us, 0);
  EXPECT_FALSE(loaded.report.form_reason.empty());
}

TEST(Load, CodeThatDecidesByNumbersIsNotBatched) {
  const Loaded loaded = MustLoad(SpecFor("branches"));
  EXPECT_EQ(loaded.config.max_batch_rows, 1u);
  EXPECT_NE(loaded.report.batch_reason.find("decides by the values"), std::string::npos) << loaded.report.batch_reason;
}

TEST(Load, AConfiguredBatchSizeIsKeptWithALoudReason) {
  LoadSpec spec = SpecFor("branches");
  spec.batch_size = 8;
  const Loaded loaded = MustLoad(spec);
  EXPECT_EQ(loaded.config.max_batch_rows, 8u);
  EXPECT_NE(loaded.report.batch_reason.find("ALTHOUGH"), std::string::npos) << loaded.report.batch_reason;
}

TEST(Load, WithoutDeclaredInputsThereIsNoWarmUp) {
  LoadSpec spec = SpecFor("mlp");
  spec.signature = Signature{};
  const Loaded loaded = MustLoad(spec);
  EXPECT_EQ(loaded.report.form, "plain");
  EXPECT_EQ(loaded.config.max_batch_rows, 1u);
  EXPECT_FALSE(loaded.config.inline_allowed);
  EXPECT_NE(loaded.report.warmup_reason.find("not declared"), std::string::npos);
}

TEST(Load, WhatHasNoWireFormIsRefused) {
  LoadSpec spec = SpecFor("mlp");
  spec.path = FixturePath("../../e2e/models/imaginary.pt");
  EXPECT_NE(Refusal(spec).message().find("forward() returns values of type complex"), std::string::npos);
}

TEST(Load, AFreeDimensionForbidsInline) { EXPECT_FALSE(MustLoad(SpecFor("encoder")).config.inline_allowed); }

TEST(Load, LanesShareTheCores) {
  LoadSpec spec = SpecFor("mlp");
  spec.signature = Signature{};  // not warmed up: nothing says that a wide lane is useless
  spec.cores = 4;
  const Loaded loaded = MustLoad(spec);
  ASSERT_EQ(loaded.config.lanes.size(), 5u);
  EXPECT_EQ(loaded.config.lanes[0].intra_op_threads, 1);
  EXPECT_TRUE(loaded.config.lanes[4].wide);
  EXPECT_EQ(loaded.config.lanes[4].intra_op_threads, 4);
  spec.instances = 2;
  EXPECT_EQ(MustLoad(spec).config.lanes.size(), 3u);
}

TEST(Load, RefusesWhatIsNoModel) {
  const Folder folder;
  LoadSpec spec;
  spec.path = "/nonexistent/model.pt";
  EXPECT_NE(Refusal(spec).message().find("no such file"), std::string::npos);
  spec.path = folder.Write("empty.pt", "");
  EXPECT_NE(Refusal(spec).message().find("empty"), std::string::npos);
  spec.path = folder.Write("text.pt", "this is no model");
  static_cast<void>(Refusal(spec));
  const std::string whole = ReadAll(FixturePath("mlp.pt"));
  for (const double part : {0.1, 0.5, 0.9, 0.99}) {
    spec.path =
        folder.Write("cut.pt", whole.substr(0, static_cast<std::size_t>(static_cast<double>(whole.size()) * part)));
    static_cast<void>(Refusal(spec));
  }
}

TEST(Load, RefusesADeclarationThatDoesNotFit) {
  LoadSpec spec = SpecFor("mlp");
  spec.signature.inputs.push_back({"y", DType::kFloat32, {4}, false});
  EXPECT_NE(Refusal(spec).message().find("forward(x)"), std::string::npos);
  spec = SpecFor("swapped");
  spec.signature.inputs.pop_back();
  EXPECT_NE(Refusal(spec).message().find("'a'"), std::string::npos);
  spec = SpecFor("mlp");
  spec.signature.inputs[0].optional = true;
  EXPECT_NE(Refusal(spec).message().find("optional"), std::string::npos);
  spec = SpecFor("mlp");
  spec.signature.inputs[0].name = "instances";
  EXPECT_NE(Refusal(spec).message().find("'instances'"), std::string::npos);
}

TEST(Load, RefusesWhatNoRequestCouldReach) {
  const Folder folder;
  const auto save = [&](const std::string& code) {
    torch::jit::Module module("m");
    module.define(code);
    std::string path = folder.Write("unreachable.pt", "");
    module.save(path);
    return path;
  };
  LoadSpec spec;
  spec.path = save("def forward(self):\n  return torch.zeros([1])\n");
  EXPECT_NE(Refusal(spec).message().find("forward(), which takes no tensor"), std::string::npos);
  spec.path = save("def forward(self, x, times: int):\n  return x * times\n");
  EXPECT_NE(Refusal(spec).message().find("'times' of forward(x, times)"), std::string::npos);
  spec.path = save("def forward(self, x, times: int = 3):\n  return x * times\n");
  static_cast<void>(MustLoad(spec));
}

TEST(Load, ACompiledPackageNeedsDeclaredInputs) {
  const Folder folder;
  LoadSpec spec;
  spec.kind = ArtifactKind::kAotInductor;
  spec.path = folder.Write("model.pt2", "PK");
  EXPECT_NE(Refusal(spec).message().find("declared"), std::string::npos);
  spec.signature = SpecFor("mlp").signature;
  static_cast<void>(Refusal(spec));
}

TEST(Load, StopsWhenCancelled) {
  const std::atomic<bool> cancelled{true};
  LoadSpec spec = SpecFor("mlp");
  spec.cancelled = &cancelled;
  const Result<Loaded> loaded = Load(spec);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), Code::kCancelled);
}

}  // namespace
}  // namespace sconce::torch_engine
