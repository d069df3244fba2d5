// Packages fit one kind of CPU, so test/models/export.py makes them on the machine that tests; skipped without them.
#include "torch/aotinductor.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

using testing::Deviation;
using testing::Golden;
using testing::GoldenCase;
using testing::MakeTask;

TEST(AotInductor, EqualsEagerPyTorchAloneBatchedAndFromManyThreads) {
  const std::string package = std::string(SCONCE_FIXTURES) + "/generated/mlp.pt2";
  if (!std::filesystem::exists(package)) GTEST_SKIP() << "no " << package;
  const Golden golden = testing::ReadGolden("../generated/mlp_aoti");
  LoadSpec spec;
  spec.path = package;
  spec.kind = ArtifactKind::kAotInductor;
  spec.signature = golden.signature;
  spec.cores = 2;
  const Loaded loaded = testing::MustLoad(spec);
  EXPECT_EQ(loaded.report.form, "aotinductor");
  EXPECT_EQ(loaded.config.max_batch_rows, 64u) << loaded.report.batch_reason;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const auto scratch = loaded.runner->NewScratch(1);
      for (std::size_t rows = 1; rows <= golden.cases.size(); ++rows) {
        std::vector<TaskPtr> tasks;
        std::vector<Task*> pointers;
        for (std::size_t i = 0; i < rows; ++i) tasks.push_back(MakeTask(golden.signature, {&golden.cases[i]}));
        for (const TaskPtr& task : tasks) pointers.push_back(task.get());
        loaded.runner->Run(pointers, *scratch, true);
        for (std::size_t i = 0; i < rows; ++i) {
          if (!tasks[i]->status.ok() || Deviation(*tasks[i], 0, golden.cases[i], 1e-5) > 1.0) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(AotInductor, WhatChangesItsInputsGetsCopiesAndIsBatched) {
  const std::string package = std::string(SCONCE_FIXTURES) + "/generated/in_place_wide.pt2";
  if (!std::filesystem::exists(package)) GTEST_SKIP() << "no " << package;
  const Golden golden = testing::ReadGolden("../generated/in_place_wide_aoti");
  LoadSpec spec;
  spec.path = package;
  spec.kind = ArtifactKind::kAotInductor;
  spec.signature = golden.signature;
  const Loaded loaded = testing::MustLoad(spec);
  EXPECT_EQ(loaded.config.max_batch_rows, 64u) << loaded.report.batch_reason;
  EXPECT_NE(loaded.report.form_reason.find("changes its inputs"), std::string::npos) << loaded.report.form_reason;
  const auto scratch = loaded.runner->NewScratch(1);
  const TaskPtr task = MakeTask(golden.signature, {&golden.cases[0]});
  Task* const pointer = task.get();
  for (int run = 0; run < 2; ++run) {  // the same request again: its numbers are as they were sent
    loaded.runner->Run({&pointer, 1}, *scratch, true);
    ASSERT_TRUE(task->status.ok()) << task->status.message();
    EXPECT_LE(Deviation(*task, 0, golden.cases[0], 1e-6), 1.0);
  }
}

}  // namespace
}  // namespace sconce::torch_engine
