// What a device library sees of the machine; plain data, free of libtorch.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sconce::torch_engine {

struct DeviceRow {
  int index = 0;
  std::string name;          // "NVIDIA H100 80GB HBM3"
  std::string architecture;  // "sm_90"
  std::size_t total_bytes = 0;
};

struct DevicePicture {
  std::string library;  // "CUDA 13.0"
  std::string driver;   // the newest CUDA that the driver serves, "13.0"; "" without a driver
  std::string problem;  // why there is no device, in one line; "" where there are some
  std::vector<DeviceRow> devices;
};

}  // namespace sconce::torch_engine
