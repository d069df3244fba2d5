// What the engine finds when it loads this library: see torch/device_library.h.
#include <ATen/Functions.h>
#include <cuda_runtime_api.h>

#include <string>

#include "cuda/device.h"
#include "cuda/fault.h"
#include "torch/device_library.h"

namespace sconce::cuda {
namespace {

using torch_engine::DevicePicture;
using torch_engine::DeviceRow;

// 13000 → "13.0".
std::string Version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

// Why cudaGetDeviceCount found none, and what to do about it.
std::string Explain(cudaError_t error, const DevicePicture& picture) {
  if (error == cudaErrorInsufficientDriver && picture.driver.empty()) {
    return "no NVIDIA driver: install one that serves " + picture.library + ", or start the container with its GPUs";
  }
  if (error == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver serves CUDA " + picture.driver + " and this libtorch needs " + picture.library +
           ": install a newer driver, or a libtorch built for an older CUDA";
  }
  if (error == cudaErrorNoDevice || error == cudaSuccess) {
    return "the NVIDIA driver shows no GPU to this process: check nvidia-smi and CUDA_VISIBLE_DEVICES";
  }
  return std::string("the GPUs cannot be used: ") + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
}

class CudaLibrary final : public torch_engine::DeviceLibrary {
 public:
  DevicePicture Picture() const override {
    DevicePicture picture;
    int runtime = 0;
    int driver = 0;
    int count = 0;
    static_cast<void>(cudaRuntimeGetVersion(&runtime));
    static_cast<void>(cudaDriverGetVersion(&driver));
    picture.library = "CUDA " + Version(runtime);
    if (driver > 0) picture.driver = Version(driver);
    const cudaError_t error = cudaGetDeviceCount(&count);
    static_cast<void>(cudaGetLastError());
    if (error != cudaSuccess || count == 0) picture.problem = Explain(error, picture);
    for (int index = 0; error == cudaSuccess && index < count; ++index) {
      cudaDeviceProp properties{};
      if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
      picture.devices.push_back({index, properties.name,
                                 "sm_" + std::to_string(properties.major) + std::to_string(properties.minor),
                                 properties.totalGlobalMem});
    }
    return picture;
  }

  Result<std::unique_ptr<torch_engine::TensorDevice>> Open(int index) const override {
    const DevicePicture picture = Picture();
    if (!picture.problem.empty()) return Status(Code::kInvalidModel, picture.problem);
    if (index < 0 || index >= static_cast<int>(picture.devices.size())) {
      return Status(Code::kInvalidModel, "there is no GPU " + std::to_string(index) + ": this process has " +
                                             std::to_string(picture.devices.size()) + ", numbered from 0");
    }
    std::unique_ptr<torch_engine::TensorDevice> device = NewDevice(index);
    if (Status status = FirstKernel(*device, picture.devices[static_cast<std::size_t>(index)]); !status.ok()) {
      return status;
    }
    return device;
  }

 private:
  static Status FirstKernel(const torch_engine::TensorDevice& device, const DeviceRow& row) {
    const std::string who = device.device().name() + " (" + row.name + ", " + row.architecture + ")";
    const Result<std::unique_ptr<Stream>> stream = device.device().NewStream(StreamPriority::kNormal);
    if (!stream.ok()) return {Code::kInvalidModel, who + ": " + stream.status().message()};
    const StreamGuard guard(*stream.value());
    try {
      const at::Tensor two = at::ones({1}, at::TensorOptions(device.where())).add(1);
      if (two.item<float>() == 2.0F) return Status::Ok();
      return {Code::kInvalidModel, who + " does not add correctly"};
    } catch (...) {
      const Status fault = CurrentFault(who);
      const bool architecture = fault.message().find("no kernel image") != std::string::npos;
      return {Code::kInvalidModel, architecture ? "this libtorch has no kernels for " + who +
                                                      ": install one that is built for its architecture"
                                                : fault.message()};
    }
  }
};

}  // namespace
}  // namespace sconce::cuda

extern "C" __attribute__((visibility("default"))) const sconce::torch_engine::DeviceLibrary* sconce_device_library_1() {
  static const sconce::cuda::CudaLibrary library;
  return &library;
}
