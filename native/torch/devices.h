// The GPUs of this process: found once, at the engine's start; each with its memory, its running batches and whether it
// is in service.
//
//   Devices devices;
//   devices.Open({.library = "…/libsconce_cuda.so"});
//   devices.Place({.gpu = true, .instances = 2});      // where the next model's instances go
// Thread: Open on the main thread, once, before anything else of libtorch; the rest from anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/device_state.h"
#include "torch/device_picture.h"

namespace sconce::torch_engine {

class DeviceLibrary;
class TensorDevice;

struct DeviceOptions {
  std::string library;            // path of the device library; empty: none
  int most = kAll;                // devices used at most
  std::uint32_t max_running = 8;  // batches that run on one device at a time
  static constexpr int kAll = -1;
  bool operator==(const DeviceOptions&) const = default;
};

struct OpenDevice {
  DeviceRow row;
  std::shared_ptr<const TensorDevice> tensors;
  std::shared_ptr<DeviceState> state;
};

// Where a model wants to run.
struct DeviceRequest {
  bool gpu = false;
  std::vector<int> ids = {};  // empty: every one, in turn with other models
  int instances = 0;          // 0: one per device
};

class Devices {
 public:
  // What goes wrong is in problem(), and models then run on the CPU.
  void Open(const DeviceOptions& options);
  void Use(const DeviceLibrary& library, const DeviceOptions& options);

  const DevicePicture& picture() const { return picture_; }
  const std::string& problem() const { return problem_; }  // "" with every device that was found in use
  const std::vector<std::unique_ptr<OpenDevice>>& all() const { return devices_; }

  // In the order that instances take them; empty on the CPU. TorchServe's rule: named ones from the first on, otherwise
  // all of them, each model starting where the one before ended. kInvalidModel: no such device. kDeviceLost.
  Result<std::vector<const OpenDevice*>> Place(const DeviceRequest& request);

 private:
  Result<std::vector<const OpenDevice*>> Named(const std::vector<int>& ids) const;

  DevicePicture picture_;
  std::string problem_;
  std::vector<std::unique_ptr<OpenDevice>> devices_;
  std::atomic<std::uint32_t> next_{0};
};

}  // namespace sconce::torch_engine
