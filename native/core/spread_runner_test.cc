// Which instance runs where, and what becomes of it when its device is lost.
#include "core/spread_runner.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/fake_runner.h"

namespace sconce {
namespace {

// Answers with the device's number; raises kDeviceLost or kOutOfMemory on demand.
class Numbered final : public BatchProgram {
 public:
  explicit Numbered(std::uint32_t number) : number_(number) {}
  Code fault = Code::kOk;

  std::unique_ptr<RunnerScratch> NewScratch(int threads) override { return std::make_unique<fake::Scratch>(threads); }
  Status Attempt(std::span<Task* const> batch, std::uint32_t, RunnerScratch&) override {
    if (fault != Code::kOk) return {fault, "on demand"};
    for (Task* task : batch) task->answer.Append(&number_, sizeof number_);
    return Status::Ok();
  }

 private:
  const std::uint32_t number_;
};

struct Bench {
  explicit Bench(std::vector<int> devices, int lanes_per_instance = 1) {
    std::vector<SpreadRunner::Home> homes;
    for (const int index : devices) {
      auto state = std::make_shared<DeviceState>(CpuDevice(), 100, 4);
      programs.push_back(std::make_shared<Numbered>(static_cast<std::uint32_t>(index)));
      auto runner = std::make_shared<DeviceRunner>(programs.back(), state, DeviceRunnerOptions{.max_rows = 8});
      homes.push_back({std::move(runner), std::move(*state->Reserve("m", 10)), index});
      states.push_back(std::move(state));
    }
    spread = std::make_unique<SpreadRunner>(std::move(homes), lanes_per_instance);
  }

  // The device that answered, or why none did.
  std::string RunOne(RunnerScratch& scratch) {
    const TaskPtr task = fake::MakeTask(nullptr, sink, 1);
    Task* const pointer = task.get();
    spread->Run({&pointer, 1}, scratch, true);
    if (!task->status.ok()) return task->status.message();
    std::uint32_t number = 0;
    std::memcpy(&number, task->answer.data(), sizeof number);
    return std::to_string(number);
  }

  fake::Sink sink;
  std::vector<std::shared_ptr<DeviceState>> states;
  std::vector<std::shared_ptr<Numbered>> programs;
  std::unique_ptr<SpreadRunner> spread;
};

TEST(SpreadRunner, InstancesTakeTheDevicesInTurn) {
  Bench bench({2, 0, 1});
  std::vector<std::unique_ptr<RunnerScratch>> lanes;
  for (int i = 0; i < 4; ++i) lanes.push_back(bench.spread->NewScratch(1));
  EXPECT_EQ(bench.spread->Instances(), (std::vector<int>{2, 0, 1, 2}));
  EXPECT_EQ(bench.RunOne(*lanes[0]) + bench.RunOne(*lanes[1]) + bench.RunOne(*lanes[2]) + bench.RunOne(*lanes[3]),
            "2012");
}

TEST(SpreadRunner, LanesOfOneInstanceShareItsDevice) {
  Bench bench({0, 1}, 2);
  std::vector<std::unique_ptr<RunnerScratch>> lanes;
  for (int i = 0; i < 4; ++i) lanes.push_back(bench.spread->NewScratch(1));
  EXPECT_EQ(bench.RunOne(*lanes[0]) + bench.RunOne(*lanes[1]) + bench.RunOne(*lanes[2]) + bench.RunOne(*lanes[3]),
            "0011");
  EXPECT_EQ(bench.spread->Instances(), (std::vector<int>{0, 1}));
}

TEST(SpreadRunner, AnEndedLanesPlaceIsTakenFirst) {
  Bench bench({0, 1});
  auto first = bench.spread->NewScratch(1);
  auto second = bench.spread->NewScratch(1);
  first.reset();
  EXPECT_EQ(bench.spread->Instances(), std::vector<int>{1});
  first = bench.spread->NewScratch(1);
  EXPECT_EQ(bench.spread->Instances(), (std::vector<int>{0, 1}));
  EXPECT_EQ(bench.RunOne(*first), "0");
}

TEST(SpreadRunner, AnInstanceLeavesALostDevice) {
  Bench bench({0, 1});
  const auto lane = bench.spread->NewScratch(1);
  bench.programs[0]->fault = Code::kDeviceLost;
  EXPECT_NE(bench.RunOne(*lane).find("out of service"), std::string::npos);  // who met the fault
  EXPECT_EQ(bench.RunOne(*lane), "1");
  EXPECT_EQ(bench.spread->Instances(), std::vector<int>{1});
  EXPECT_TRUE(bench.spread->in_service());
  bench.programs[1]->fault = Code::kDeviceLost;
  EXPECT_NE(bench.RunOne(*lane).find("out of service"), std::string::npos);
  EXPECT_NE(bench.RunOne(*lane).find("out of service"), std::string::npos);
  EXPECT_FALSE(bench.spread->in_service());
}

TEST(SpreadRunner, TheBatchLimitIsTheLowest) {
  Bench bench({0, 1});
  const auto first = bench.spread->NewScratch(1);
  const auto second = bench.spread->NewScratch(1);
  EXPECT_EQ(bench.spread->batch_limit(), 8U);
  bench.programs[1]->fault = Code::kOutOfMemory;
  EXPECT_NE(bench.RunOne(*second).find("one row does not fit"), std::string::npos);
  EXPECT_EQ(bench.spread->batch_limit(), 1U);
}

TEST(SpreadRunner, GivesItsMemoryBack) {
  Bench bench({0, 1});
  EXPECT_EQ(bench.states[1]->Figures().reserved_bytes, 10U);
  bench.spread.reset();
  EXPECT_EQ(bench.states[1]->Figures().reserved_bytes, 0U);
}

}  // namespace
}  // namespace sconce
