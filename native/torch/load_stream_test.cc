#include "torch/load_stream.h"

#include <gtest/gtest.h>

#include <string>

namespace sconce::torch_engine {
namespace {

// Writes down what is asked of its streams.
class Noting final : public Device {
 public:
  Status done;  // of Synchronise
  mutable std::string log;

  const std::string& name() const override { return name_; }
  bool is_host() const override { return host; }
  Result<std::unique_ptr<Staging>> NewStaging(std::size_t) const override { return Status(Code::kInternal, "none"); }
  Result<std::unique_ptr<Stream>> NewStream(StreamPriority) const override {
    return std::unique_ptr<Stream>(std::make_unique<NotedStream>(*this));
  }
  Result<std::unique_ptr<Event>> NewEvent() const override { return Status(Code::kInternal, "none"); }
  Result<DeviceMemory> Memory() const override { return DeviceMemory{}; }
  void ReleaseCached() const override {}
  Status Check() const override { return Status::Ok(); }
  bool host = false;

 private:
  class NotedStream final : public Stream {
   public:
    explicit NotedStream(const Noting& owner) : owner_(owner) {}
    void Enter() override { owner_.log += "enter "; }
    void Leave() override { owner_.log += "leave"; }
    Status Synchronise() override {
      owner_.log += "wait ";
      return owner_.done;
    }

   private:
    const Noting& owner_;
  };
  const std::string name_ = "noting";
};

Result<int> Make(const Noting& device, Result<int> value) {
  return InLoadStream(device, [&] {
    device.log += "make ";
    return value;
  });
}

TEST(LoadStream, IsCurrentForTheWorkAndWaitedFor) {
  Noting device;
  EXPECT_EQ(*Make(device, 7), 7);
  EXPECT_EQ(device.log, "enter make wait leave");
}

TEST(LoadStream, TheHostHasNone) {
  Noting device;
  device.host = true;
  EXPECT_EQ(*Make(device, 7), 7);
  EXPECT_EQ(device.log, "make ");
}

TEST(LoadStream, FailuresComeOut) {
  Noting device;
  EXPECT_EQ(Make(device, Status(Code::kInvalidModel, "bad")).status().message(), "bad");
  device.done = {Code::kInternal, "the wait failed"};
  EXPECT_EQ(Make(device, 7).status().message(), "the wait failed");
  EXPECT_EQ(Make(device, Status(Code::kInvalidModel, "bad")).status().message(), "bad");
  device.done = {Code::kDeviceLost, "lost"};
  EXPECT_EQ(Make(device, Status(Code::kInvalidModel, "bad")).status().message(), "lost");
}

}  // namespace
}  // namespace sconce::torch_engine
