// Which devices are used and which a model gets.
#include "torch/devices.h"

#include <gtest/gtest.h>

#include "torch/device_library.h"

namespace sconce::torch_engine {
namespace {

// As many as it is told; each is the CPU in the device's clothes.
class Pretended final : public DeviceLibrary {
 public:
  explicit Pretended(int count, int broken = -1) : count_(count), broken_(broken) {}
  DevicePicture Picture() const override {
    DevicePicture picture;
    picture.library = "pretended";
    for (int i = 0; i < count_; ++i) picture.devices.push_back({i, "gpu", "sm_0", 1});
    if (count_ == 0) picture.problem = "no driver";
    return picture;
  }
  Result<std::unique_ptr<TensorDevice>> Open(int index) const override {
    if (index == broken_) return Status(Code::kInvalidModel, "no kernels for it");
    return std::unique_ptr<TensorDevice>(std::make_unique<OneDevice>());
  }

 private:
  class OneDevice final : public TensorDevice {
   public:
    const Device& device() const override { return CpuDevice(); }
    c10::Device where() const override { return c10::Device(c10::kCPU); }
    at::Tensor Upload(const at::Tensor& host) const override { return host; }
    Status Download(std::span<at::Tensor>, Stream&, Event&) const override { return Status::Ok(); }
  };
  const int count_;
  const int broken_;
};

std::string Numbers(Devices& devices, const DeviceRequest& request) {
  Result<std::vector<const OpenDevice*>> places = devices.Place(request);
  if (!places.ok()) return places.status().message();
  std::string numbers;
  for (const OpenDevice* place : *places) numbers += std::to_string(place->row.index);
  return numbers;
}

TEST(Devices, WithoutALibraryModelsRunOnTheCpu) {
  Devices devices;
  devices.Open({});
  EXPECT_EQ(Numbers(devices, {}), "");
  EXPECT_EQ(Numbers(devices, {.gpu = true}), "the model asks for a GPU and this server has none");
}

TEST(Devices, ALibraryThatDoesNotLoadIsTheProblem) {
  Devices devices;
  devices.Open({.library = "/no/such/library.so"});
  EXPECT_NE(devices.problem().find("/no/such/library.so does not load: "), std::string::npos);
  EXPECT_NE(Numbers(devices, {.gpu = true}).find("does not load"), std::string::npos);
}

TEST(Devices, ModelsTakeTurns) {
  Devices devices;
  devices.Use(Pretended(3), {});
  EXPECT_EQ(Numbers(devices, {.gpu = true, .instances = 2}), "01");
  EXPECT_EQ(Numbers(devices, {.gpu = true, .instances = 2}), "20");
  EXPECT_EQ(Numbers(devices, {.gpu = true}), "120");
  EXPECT_EQ(Numbers(devices, {.gpu = true, .instances = 7}), "120");
  EXPECT_EQ(Numbers(devices, {.gpu = true, .instances = 1}), "2");
}

TEST(Devices, NamedOnesInTheirOrder) {
  Devices devices;
  devices.Use(Pretended(3), {});
  EXPECT_EQ(Numbers(devices, {.gpu = true, .ids = {2, 0}, .instances = 1}), "20");
  EXPECT_EQ(Numbers(devices, {.gpu = true, .ids = {3}}),
            "deviceIds has 3, and this server uses 3 GPU(s), numbered from 0");
}

TEST(Devices, AtMostSoMany) {
  Devices devices;
  devices.Use(Pretended(3), {.library = "", .most = 2});
  EXPECT_EQ(devices.all().size(), 2U);
  EXPECT_EQ(devices.picture().devices.size(), 3U);
  EXPECT_EQ(devices.problem(), "");
}

TEST(Devices, OneThatCannotBeUsedEndsTheList) {
  Devices devices;
  devices.Use(Pretended(3, 1), {});
  EXPECT_EQ(devices.all().size(), 1U);
  EXPECT_EQ(devices.problem(), "no kernels for it");
}

TEST(Devices, ALostOneGetsNoMoreModels) {
  Devices devices;
  devices.Use(Pretended(2), {});
  devices.all()[0]->state->TakeOut("broke");
  EXPECT_EQ(Numbers(devices, {.gpu = true}), "1");
  EXPECT_EQ(Numbers(devices, {.gpu = true, .ids = {0}}), "device cpu is out of service: broke");
  devices.all()[1]->state->TakeOut("broke too");
  EXPECT_EQ(Numbers(devices, {.gpu = true}), "device cpu is out of service: broke");
}

TEST(Devices, NoneHasAReason) {
  Devices devices;
  devices.Use(Pretended(0), {});
  EXPECT_EQ(Numbers(devices, {.gpu = true}), "the model asks for a GPU and this server has none: no driver");
}

}  // namespace
}  // namespace sconce::torch_engine
