#include "torch/devices.h"

#include <algorithm>
#include <utility>

#include "torch/device_library.h"

namespace sconce::torch_engine {

void Devices::Open(const DeviceOptions& options) {
  if (options.library.empty() || options.most == 0) return;
  const Result<const DeviceLibrary*> library = LoadDeviceLibrary(options.library);
  if (library.ok()) {
    Use(*library.value(), options);
  } else {
    problem_ = library.status().message();
  }
}

void Devices::Use(const DeviceLibrary& library, const DeviceOptions& options) {
  picture_ = library.Picture();
  problem_ = picture_.problem;
  for (const DeviceRow& row : picture_.devices) {
    if (options.most != DeviceOptions::kAll && devices_.size() >= static_cast<std::size_t>(options.most)) return;
    Result<std::unique_ptr<TensorDevice>> opened = library.Open(row.index);
    const Result<DeviceMemory> memory =
        opened.ok() ? (*opened)->device().Memory() : Result<DeviceMemory>(opened.status());
    // A device that cannot be used ends the list: what comes after it would have another number than its own.
    if (!memory.ok()) {
      problem_ = memory.status().message();
      return;
    }
    auto device = std::make_unique<OpenDevice>();
    device->row = row;
    device->tensors = std::move(*opened);
    device->state =
        std::make_shared<DeviceState>(device->tensors->device(), memory.value().free_bytes, options.max_running);
    devices_.push_back(std::move(device));
  }
}

Result<std::vector<const OpenDevice*>> Devices::Named(const std::vector<int>& ids) const {
  std::vector<const OpenDevice*> places;
  for (const int id : ids) {
    if (id < 0 || id >= static_cast<int>(devices_.size())) {
      return Status(Code::kInvalidModel, "deviceIds has " + std::to_string(id) + ", and this server uses " +
                                             std::to_string(devices_.size()) + " GPU(s), numbered from 0");
    }
    const OpenDevice* const device = devices_[static_cast<std::size_t>(id)].get();
    if (!device->state->in_service()) return device->state->LostStatus();
    places.push_back(device);
  }
  return places;
}

Result<std::vector<const OpenDevice*>> Devices::Place(const DeviceRequest& request) {
  std::vector<const OpenDevice*> places;
  if (!request.gpu) return places;
  if (!request.ids.empty()) return Named(request.ids);
  if (devices_.empty()) {
    return Status(Code::kInvalidModel, "the model asks for a GPU and this server has none" +
                                           (problem_.empty() ? std::string() : ": " + problem_));
  }
  for (const auto& device : devices_) {
    if (device->state->in_service()) places.push_back(device.get());
  }
  if (places.empty()) return devices_.front()->state->LostStatus();
  const auto count = static_cast<std::uint32_t>(places.size());
  const auto instances = static_cast<std::uint32_t>(std::max(request.instances, 0));
  const std::uint32_t first = next_.fetch_add(instances == 0 ? count : instances) % count;
  std::ranges::rotate(places, places.begin() + first);
  if (instances != 0 && instances < count) places.resize(instances);
  return places;
}

}  // namespace sconce::torch_engine
