// Load on a device: what is queued while weights are made is waited for, and a device that is lost meanwhile is taken
// out.
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <span>

#include "torch/device.h"
#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

struct Noted {
  std::atomic<int> waited{0};     // streams whose work was waited for by Synchronise
  std::atomic<int> forgotten{0};  // streams that ended with work that nobody waited for
  std::atomic<int> outside{0};    // uploads without a current stream
  std::atomic<int> missing{0};    // streams that are not to be had
  Status health;
};

thread_local int entered = 0;

class NotedStream final : public Stream {
 public:
  explicit NotedStream(Noted& noted) : noted_(noted) {}
  ~NotedStream() override {
    if (busy) ++noted_.forgotten;
  }
  NotedStream(const NotedStream&) = delete;
  NotedStream& operator=(const NotedStream&) = delete;
  void Enter() override {
    ++entered;
    busy = true;
  }
  void Leave() override { --entered; }
  Status Synchronise() override {
    busy = false;
    ++noted_.waited;
    return Status::Ok();
  }
  bool busy = false;

 private:
  Noted& noted_;
};

class NotedEvent final : public Event {
 public:
  Status Record(Stream& stream) override {
    stream_ = &static_cast<NotedStream&>(stream);
    return Status::Ok();
  }
  Status Wait() override {
    stream_->busy = false;
    return Status::Ok();
  }

 private:
  NotedStream* stream_ = nullptr;
};

// The host's memory behind the interface of a device.
class NotedDevice final : public Device, public TensorDevice {
 public:
  explicit NotedDevice(Noted& noted) : noted_(noted) {}
  const std::string& name() const override { return name_; }
  bool is_host() const override { return false; }
  Result<std::unique_ptr<Staging>> NewStaging(std::size_t bytes) const override {
    return CpuDevice().NewStaging(bytes);
  }
  Result<std::unique_ptr<Stream>> NewStream(StreamPriority) const override {
    if (noted_.missing-- > 0) return Status(Code::kOutOfMemory, "no stream");
    return std::unique_ptr<Stream>(std::make_unique<NotedStream>(noted_));
  }
  Result<std::unique_ptr<Event>> NewEvent() const override {
    return std::unique_ptr<Event>(std::make_unique<NotedEvent>());
  }
  Result<DeviceMemory> Memory() const override { return DeviceMemory{1U << 30U, 1U << 30U}; }
  void ReleaseCached() const override {}
  Status Check() const override { return noted_.health; }

  const Device& device() const override { return *this; }
  c10::Device where() const override { return c10::Device(c10::kCPU); }
  at::Tensor Upload(const at::Tensor& host) const override {
    if (entered == 0) ++noted_.outside;
    return host.clone();
  }
  Status Download(std::span<at::Tensor> tensors, Stream& stream, Event& done) const override {
    for (at::Tensor& tensor : tensors) tensor = tensor.clone();
    if (Status status = done.Record(stream); !status.ok()) return status;
    return done.Wait();
  }

 private:
  Noted& noted_;
  const std::string name_ = "noted:0";
};

struct Machine {
  Noted noted;
  OpenDevice device;

  Machine() {
    const auto made = std::make_shared<NotedDevice>(noted);
    device.tensors = made;
    device.state = std::make_shared<DeviceState>(*made, 1U << 30U, 8);
  }
  LoadSpec Spec() const {
    LoadSpec spec = testing::SpecFor("mlp");
    spec.devices = {&device};
    return spec;
  }
};

TEST(LoadOnDevice, WhatMakesWeightsIsInAStreamThatIsWaitedFor) {
  Machine machine;
  const Loaded loaded = testing::MustLoad(machine.Spec());
  EXPECT_EQ(loaded.report.warmup_reason, "ok");
  EXPECT_GE(machine.noted.waited, 3) << "the plain form, the frozen and the optimised one";
  EXPECT_EQ(machine.noted.forgotten, 0);
  EXPECT_EQ(machine.noted.outside, 0);
}

TEST(LoadOnDevice, ALaneWithoutAStreamGetsOneLater) {
  Machine machine;
  const Loaded loaded = testing::MustLoad(machine.Spec());
  const testing::Golden golden = testing::ReadGolden("mlp");
  const TaskPtr task = testing::MakeTask(golden.signature, {&golden.cases[0]});
  Task* const one = task.get();
  machine.noted.missing = 2;
  const auto scratch = loaded.runner->NewScratch(1);
  loaded.runner->Run({&one, 1}, *scratch, true);
  EXPECT_EQ(task->status.code(), Code::kOutOfMemory);
  loaded.runner->Run({&one, 1}, *scratch, true);
  EXPECT_TRUE(task->status.ok()) << task->status.message();
  EXPECT_LE(testing::Deviation(*task, 0, golden.cases[0], 1e-5), 1);
}

TEST(LoadOnDevice, ADeviceThatIsLostMeanwhileIsTakenOut) {
  Machine machine;
  machine.noted.health = {Code::kDeviceLost, "an illegal address"};
  const Result<Loaded> loaded = Load(machine.Spec());
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), Code::kDeviceLost);
  EXPECT_EQ(loaded.status().message(), "device noted:0 is out of service: an illegal address");
  EXPECT_FALSE(machine.device.state->in_service());
  EXPECT_EQ(machine.device.state->Figures().reserved_bytes, 0U);
}

}  // namespace
}  // namespace sconce::torch_engine
