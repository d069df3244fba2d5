// Fixtures from test/models/export.py against their goldens: alone, batched, failing, sliced.
#include "torch/runner.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <thread>

#include "torch/test_support.h"
#include "torch/torchscript.h"

namespace sconce::torch_engine {
namespace {

using testing::Deviation;
using testing::Golden;
using testing::GoldenCase;
using testing::MakeTask;
using testing::MustLoad;
using testing::ReadGolden;
using testing::SpecFor;

std::vector<const GoldenCase*> Pointers(const Golden& golden, std::initializer_list<std::size_t> which) {
  std::vector<const GoldenCase*> rows;
  for (const std::size_t i : which) rows.push_back(&golden.cases[i]);
  return rows;
}

void RunAll(Runner& runner, std::vector<TaskPtr>& tasks, bool allow_rerun = true) {
  const auto scratch = runner.NewScratch(1);
  std::vector<Task*> pointers;
  for (const TaskPtr& task : tasks) pointers.push_back(task.get());
  runner.Run(pointers, *scratch, allow_rerun);
}

class Models : public ::testing::TestWithParam<const char*> {};

TEST_P(Models, SingleEqualsEagerPyTorch) {
  const Golden golden = ReadGolden(GetParam());
  const Loaded loaded = MustLoad(SpecFor(GetParam()));
  EXPECT_EQ(loaded.report.warmup_reason, "ok");
  const auto scratch = loaded.runner->NewScratch(1);
  for (int round = 0; round < 3; ++round) {
    for (const GoldenCase& one : golden.cases) {
      const TaskPtr task = MakeTask(golden.signature, {&one});
      Task* const pointer = task.get();
      loaded.runner->Run({&pointer, 1}, *scratch, true);
      ASSERT_TRUE(task->status.ok()) << task->status.message();
      EXPECT_LE(Deviation(*task, 0, one, 1e-6), 1.0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Models,
                         ::testing::Values("mlp", "convnet", "encoder", "integers", "dict", "tuple", "named", "list",
                                           "branches", "half", "bfloat", "in_place", "swapped", "quantised",
                                           "quantised_lstm", "none", "numbers"));

class Batches : public ::testing::TestWithParam<const char*> {};

TEST_P(Batches, BatchEqualsEagerPyTorch) {
  const Golden golden = ReadGolden(GetParam());
  const Loaded loaded = MustLoad(SpecFor(GetParam()));
  EXPECT_EQ(loaded.config.max_batch_rows, 64u) << loaded.report.batch_reason;
  std::vector<TaskPtr> tasks;
  for (const GoldenCase& one : golden.cases) {
    // Only equal shapes share a batch: rows like the first one.
    TaskPtr task = MakeTask(golden.signature, {&one});
    if (tasks.empty() || SameShape(task->rows[0], tasks[0]->rows[0])) tasks.push_back(std::move(task));
  }
  RunAll(*loaded.runner, tasks);
  std::size_t t = 0;
  for (const GoldenCase& one : golden.cases) {
    if (t >= tasks.size()) break;
    const TaskPtr shape = MakeTask(golden.signature, {&one});
    if (!SameShape(shape->rows[0], tasks[0]->rows[0])) continue;
    ASSERT_TRUE(tasks[t]->status.ok()) << tasks[t]->status.message();
    EXPECT_EQ(tasks[t]->batch_rows, tasks.size());
    EXPECT_LE(Deviation(*tasks[t], 0, one, 1e-5), 1.0);
    ++t;
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Batches,
                         ::testing::Values("mlp", "convnet", "encoder", "integers", "dict", "tuple", "named", "list",
                                           "half", "bfloat", "in_place", "swapped", "none"));

TEST(TorchRunner, OnlyTheSampleThatRaisesFails) {
  Golden golden = ReadGolden("raises");
  golden.cases[1].inputs["x"].data[2] = -1;
  LoadSpec spec = SpecFor("raises");
  spec.batch_size = 8;  // its generated warm-up samples raise
  const Loaded loaded = MustLoad(spec);
  EXPECT_NE(loaded.report.warmup_reason.find("negative input"), std::string::npos) << loaded.report.warmup_reason;
  std::vector<TaskPtr> tasks;
  for (const GoldenCase& one : golden.cases) tasks.push_back(MakeTask(golden.signature, {&one}));
  RunAll(*loaded.runner, tasks);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (i == 1) {
      EXPECT_EQ(tasks[i]->status.code(), Code::kModelError);
      EXPECT_NE(tasks[i]->status.message().find("negative input"), std::string::npos) << tasks[i]->status.message();
      EXPECT_EQ(tasks[i]->status.message().find('\n'), std::string::npos);
      EXPECT_EQ(tasks[i]->status.message().find("File"), std::string::npos);
    } else {
      ASSERT_TRUE(tasks[i]->status.ok()) << tasks[i]->status.message();
      EXPECT_LE(Deviation(*tasks[i], 0, golden.cases[i], 1e-6), 1.0);
    }
  }
}

// A model that raises for the second case, in batches of at most two.
struct Guilty {
  Guilty() : golden(ReadGolden("raises")) {
    golden.cases[1].inputs["x"].data[2] = -1;
    LoadSpec spec = SpecFor("raises");
    spec.batch_size = 2;
    loaded = MustLoad(spec);
  }

  TaskPtr Run(std::initializer_list<std::size_t> which, bool allow_rerun, std::int64_t deadline_ns = 0) {
    std::vector<TaskPtr> tasks;
    tasks.push_back(MakeTask(golden.signature, Pointers(golden, which)));
    tasks[0]->instances = true;
    tasks[0]->deadline_ns = deadline_ns;
    RunAll(*loaded.runner, tasks, allow_rerun);
    return std::move(tasks[0]);
  }

  // Whom the error names.
  std::string Whose(std::initializer_list<std::size_t> which, bool allow_rerun) {
    const Status status = Run(which, allow_rerun)->status;
    EXPECT_EQ(status.code(), Code::kModelError);
    EXPECT_NE(status.message().find("negative input"), std::string::npos) << status.message();
    return status.message().substr(0, status.message().find(':'));
  }

  Golden golden;
  Loaded loaded;
};

TEST(TorchRunner, TheInstanceThatRaisesIsNamed) {
  Guilty model;
  EXPECT_EQ(model.Whose({1}, true), "instance 0");
  EXPECT_EQ(model.Whose({0, 1}, true), "instance 1");
  EXPECT_EQ(model.Whose({0, 1}, false), "instances 0 to 1");
  // In the second slice.
  EXPECT_EQ(model.Whose({0, 2, 3, 1}, true), "instance 3");
  EXPECT_EQ(model.Whose({0, 2, 1}, false), "instance 2");
}

TEST(TorchRunner, AnInstanceIsNotLookedForOnceNobodyWaits) {
  EXPECT_EQ(Guilty().Run({0, 1}, true, /*deadline_ns=*/1)->status.code(), Code::kDeadlineExceeded);
}

TEST(TorchRunner, WithoutRerunTheWholeBatchSaysModelError) {
  Golden golden = ReadGolden("raises");
  golden.cases[1].inputs["x"].data[2] = -1;
  LoadSpec spec = SpecFor("raises");
  spec.batch_size = 8;
  const Loaded loaded = MustLoad(spec);
  std::vector<TaskPtr> tasks;
  for (const GoldenCase& one : golden.cases) tasks.push_back(MakeTask(golden.signature, {&one}));
  RunAll(*loaded.runner, tasks, /*allow_rerun=*/false);
  for (const TaskPtr& task : tasks) EXPECT_EQ(task->status.code(), Code::kModelError);
}

TEST(TorchRunner, MoreRowsThanTheBatchLimitRunInSlices) {
  const Golden golden = ReadGolden("tuple");
  LoadSpec spec = SpecFor("tuple");
  spec.batch_size = 2;
  const Loaded loaded = MustLoad(spec);
  std::vector<TaskPtr> tasks;
  tasks.push_back(MakeTask(golden.signature, Pointers(golden, {0, 1, 2, 3, 1})));
  RunAll(*loaded.runner, tasks);
  ASSERT_TRUE(tasks[0]->status.ok()) << tasks[0]->status.message();
  ASSERT_EQ(tasks[0]->leaves.size(), 15u);
  const std::size_t which[] = {0, 1, 2, 3, 1};
  for (std::size_t r = 0; r < 5; ++r) EXPECT_LE(Deviation(*tasks[0], r, golden.cases[which[r]], 1e-5), 1.0);
}

TEST(TorchRunner, RowsOfUnequalShapeRunOneByOne) {
  const Golden golden = ReadGolden("encoder");
  const Loaded loaded = MustLoad(SpecFor("encoder"));
  std::vector<TaskPtr> tasks;
  tasks.push_back(MakeTask(golden.signature, Pointers(golden, {0, 1, 2, 3})));
  RunAll(*loaded.runner, tasks);
  ASSERT_TRUE(tasks[0]->status.ok()) << tasks[0]->status.message();
  for (std::size_t r = 0; r < 4; ++r) EXPECT_LE(Deviation(*tasks[0], r, golden.cases[r], 1e-5), 1.0);
}

TEST(TorchRunner, OutputThatIsNotTheBatchIsNamed) {
  LoadSpec spec = SpecFor("wrong_rows");
  spec.batch_size = 4;
  const Loaded loaded = MustLoad(spec);
  const Signature signature = spec.signature;
  GoldenCase one;
  one.inputs["x"] = {DType::kFloat32, {4}, {1, 2, 3, 4}, {}};
  std::vector<TaskPtr> tasks;
  tasks.push_back(MakeTask(signature, {&one}));
  RunAll(*loaded.runner, tasks);
  EXPECT_EQ(tasks[0]->status.code(), Code::kBadOutput);
  EXPECT_NE(tasks[0]->status.message().find("output cannot be split"), std::string::npos) << tasks[0]->status.message();
}

TEST(TorchRunner, NumbersOfTheWholeBatchKeepSamplesApart) {
  const Golden golden = ReadGolden("numbers");
  LoadSpec spec = SpecFor("numbers");
  for (const bool declared : {true, false}) {
    if (!declared) spec.signature = Signature{};  // no warm-up: the type of forward() tells
    spec.batch_size = 8;
    const Loaded loaded = MustLoad(spec);
    EXPECT_EQ(loaded.config.max_batch_rows, 1u);
    EXPECT_NE(loaded.report.batch_reason.find("batchSize: 8 has no effect"), std::string::npos)
        << loaded.report.batch_reason;
    std::vector<TaskPtr> tasks;
    tasks.push_back(MakeTask(golden.signature, Pointers(golden, {0, 1, 2})));
    RunAll(*loaded.runner, tasks);
    ASSERT_TRUE(tasks[0]->status.ok()) << tasks[0]->status.message();
    for (std::size_t r = 0; r < 3; ++r) EXPECT_LE(Deviation(*tasks[0], r, golden.cases[r], 1e-6), 1.0);
  }
}

// A tensor without dimensions is no sample's either, but no type tells.
TEST(TorchRunner, AScalarOfTheWholeBatchBelongsToALoneSample) {
  torch::jit::Module module("m");
  module.define("def forward(self, x):\n  return x, x.sum()\n");
  module.eval();
  const std::string path = ::testing::TempDir() + "/scalar.pt";
  module.save(path);
  LoadSpec spec = SpecFor("numbers");
  spec.path = path;
  const Golden golden = ReadGolden("numbers");
  const Loaded loaded = MustLoad(spec);
  EXPECT_EQ(loaded.config.max_batch_rows, 1u);
  EXPECT_NE(loaded.report.batch_reason.find("is one number for the whole batch"), std::string::npos)
      << loaded.report.batch_reason;
  std::vector<TaskPtr> tasks;
  tasks.push_back(MakeTask(golden.signature, Pointers(golden, {0, 1})));
  RunAll(*loaded.runner, tasks);
  ASSERT_TRUE(tasks[0]->status.ok()) << tasks[0]->status.message();
  ASSERT_EQ(tasks[0]->leaves.size(), 4u);
  EXPECT_EQ(tasks[0]->leaves[3].shape, Shape());
}

TEST(TorchRunner, ANumberForSeveralRowsIsNamed) {
  const Golden golden = ReadGolden("numbers");
  Result<std::unique_ptr<TorchScript>> script = LoadTorchScript(testing::FixturePath("numbers.pt"));
  ASSERT_TRUE(script.ok());
  TorchRunner runner(std::move(*script), RunnerOptions{});
  runner.set_max_rows(8);  // warm-up never allows it
  std::vector<TaskPtr> tasks;
  tasks.push_back(MakeTask(golden.signature, Pointers(golden, {0, 1})));
  RunAll(runner, tasks);
  EXPECT_EQ(tasks[0]->status.code(), Code::kBadOutput);
  EXPECT_NE(tasks[0]->status.message().find("output 'rows' is one number for the whole batch"), std::string::npos)
      << tasks[0]->status.message();
}

TEST(TorchRunner, UndeclaredInputsGoByNameOrPosition) {
  const Golden golden = ReadGolden("swapped");  // declared as (b, a), forward is (a, b)
  LoadSpec spec = SpecFor("swapped");
  spec.signature = Signature{};
  const Loaded loaded = MustLoad(spec);
  EXPECT_EQ(loaded.config.max_batch_rows, 1u);
  std::vector<TaskPtr> tasks;
  tasks.push_back(MakeTask(golden.signature, {&golden.cases[0]}));
  tasks[0]->names = {"b", "a"};
  RunAll(*loaded.runner, tasks);
  ASSERT_TRUE(tasks[0]->status.ok()) << tasks[0]->status.message();
  EXPECT_LE(Deviation(*tasks[0], 0, golden.cases[0], 1e-6), 1.0);
  tasks[0]->names = {"b", "c"};
  RunAll(*loaded.runner, tasks);
  EXPECT_EQ(tasks[0]->status.code(), Code::kBadRequest);
  EXPECT_NE(tasks[0]->status.message().find("'c'"), std::string::npos) << tasks[0]->status.message();
}

TEST(TorchRunner, AStatefulModelStartsUntouchedByWarmUp) {
  LoadSpec spec = SpecFor("counter");
  spec.stateful = true;
  const Loaded loaded = MustLoad(spec);
  EXPECT_EQ(loaded.config.lanes.size(), 1u);
  EXPECT_FALSE(loaded.config.inline_allowed);
  GoldenCase one;
  one.inputs["x"] = {DType::kFloat32, {2}, {1, 2}, {}};
  const auto scratch = loaded.runner->NewScratch(1);
  for (int expected = 1; expected <= 3; ++expected) {
    const TaskPtr task = MakeTask(spec.signature, {&one});
    Task* const pointer = task.get();
    loaded.runner->Run({&pointer, 1}, *scratch, true);
    ASSERT_TRUE(task->status.ok()) << task->status.message();
    float seen = 0;
    std::memcpy(&seen, task->answer.data(), sizeof seen);
    EXPECT_EQ(seen, static_cast<float>(expected));
  }
}

std::string JsonAnswer(const char* name, LoadSpec spec) {
  const Golden golden = ReadGolden(name);
  const Loaded loaded = MustLoad(spec);
  std::vector<TaskPtr> tasks;
  tasks.push_back(MakeTask(golden.signature, {&golden.cases[0]}));
  tasks[0]->format = OutputFormat::kJson;
  RunAll(*loaded.runner, tasks);
  EXPECT_TRUE(tasks[0]->status.ok()) << tasks[0]->status.message();
  return {reinterpret_cast<const char*>(tasks[0]->answer.data()), tasks[0]->answer.size()};
}

TEST(TorchRunner, ResultsKeepTheirStructureInJson) {
  const std::string named = JsonAnswer("named", SpecFor("named"));
  EXPECT_TRUE(named.starts_with("{\"mean\":")) << named;
  EXPECT_NE(named.find("\"spread\":"), std::string::npos) << named;
  EXPECT_TRUE(JsonAnswer("dict", SpecFor("dict")).starts_with("{\"logits\":["));
  EXPECT_TRUE(JsonAnswer("tuple", SpecFor("tuple")).starts_with("[["));
  LoadSpec spec = SpecFor("list");
  spec.signature.outputs = {"raw", "squashed"};
  const std::string list = JsonAnswer("list", spec);
  EXPECT_TRUE(list.starts_with("{\"raw\":[")) << list;
  EXPECT_NE(list.find("\"squashed\":"), std::string::npos) << list;
}

TEST(TorchRunner, NamesThatDoNotFitTheResultAreABadOutput) {
  LoadSpec spec = SpecFor("list");
  spec.signature.outputs = {"one", "two", "three"};
  const Loaded loaded = MustLoad(spec);
  EXPECT_NE(loaded.report.warmup_reason.find("names 3"), std::string::npos) << loaded.report.warmup_reason;
}

// What the transform makes of pixels is what the same floats give when they are sent as a tensor.
TEST(TorchRunner, ImagesRunAsTheirTransformedTensor) {
  LoadSpec spec = SpecFor("convnet");
  spec.image = ImageTransform{};
  spec.image->resize = 0;
  spec.image->crop = 24;
  const Loaded loaded = MustLoad(spec);
  std::vector<TaskPtr> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(std::make_unique<Task>());
    Task& task = *tasks.back();
    task.format = OutputFormat::kTensors;
    task.is_image = true;
    task.image = {24, 24, 3};
    task.storage.Resize(24 * 24 * 3);
    for (std::size_t b = 0; b < task.storage.size(); ++b) {
      task.storage.data()[b] = static_cast<std::byte>((b * 7 + static_cast<std::size_t>(i) * 31) % 256);
    }
  }
  GoldenCase one;
  one.inputs["x"] = {DType::kFloat32, {3, 24, 24}, {}, {}};
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t p = 0; p < 24 * 24; ++p) {
      one.inputs["x"].data.push_back(static_cast<float>(tasks[1]->storage.data()[p * 3 + c]) / 255.0F);
    }
  }
  RunAll(*loaded.runner, tasks);
  std::vector<TaskPtr> tensor;
  tensor.push_back(MakeTask(spec.signature, {&one}));
  RunAll(*loaded.runner, tensor);
  ASSERT_TRUE(tasks[1]->status.ok()) << tasks[1]->status.message();
  ASSERT_TRUE(tensor[0]->status.ok()) << tensor[0]->status.message();
  std::string difference;
  EXPECT_TRUE(SameAnswer(TakeAnswer(*tasks[1]), TakeAnswer(*tensor[0]), 1e-5, &difference)) << difference;
}

TEST(TorchRunner, ManyThreadsShareOneModel) {
  const Golden golden = ReadGolden("mlp");
  const Loaded loaded = MustLoad(SpecFor("mlp"));
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const auto scratch = loaded.runner->NewScratch(1);
      for (int i = 0; i < 200; ++i) {
        const GoldenCase& one = golden.cases[static_cast<std::size_t>(i) % golden.cases.size()];
        const TaskPtr task = MakeTask(golden.signature, {&one});
        Task* const pointer = task.get();
        loaded.runner->Run({&pointer, 1}, *scratch, true);
        if (!task->status.ok() || Deviation(*task, 0, one, 1e-6) > 1.0) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace sconce::torch_engine
