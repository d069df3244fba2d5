// Devices that a library loaded at run time brings: CUDA is one (native/cuda). The engine itself links the CPU parts of
// libtorch only, so the same addon serves machines with and without GPUs.
//
// The library is loaded before the first call of libtorch that looks at its device hooks: they are fixed at first use,
// and a process that asked too early stays without the device.
// Thread: Load on the main thread, once; the rest is immutable and usable anywhere. Nothing here throws.
#pragma once

#include <memory>
#include <string>

#include "core/status.h"
#include "torch/device.h"
#include "torch/device_picture.h"

namespace sconce::torch_engine {

class DeviceLibrary {
 public:
  virtual ~DeviceLibrary() = default;
  virtual DevicePicture Picture() const = 0;
  // Runs a first kernel, so that a device whose architecture this libtorch has no kernels for is found here.
  // kInvalidModel: no such device, or not one that can be used; the message says what to do.
  virtual Result<std::unique_ptr<TensorDevice>> Open(int index) const = 0;
};

// What such a library exports, by this name; the number is raised with every change of the classes that cross over.
inline constexpr char kDeviceLibraryEntry[] = "sconce_device_library_1";
using DeviceLibraryEntry = const DeviceLibrary* (*)();

// Loads the library at `path`; it stays until the process ends. kInternal says what it lacks.
Result<const DeviceLibrary*> LoadDeviceLibrary(const std::string& path);

}  // namespace sconce::torch_engine
