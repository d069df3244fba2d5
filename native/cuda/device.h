// One CUDA device: pinned staging memory, a stream per lane, events that block without spinning.
// Thread: as core/device.h and torch/device.h say.
#pragma once

#include <memory>
#include <string>

#include "torch/device.h"

namespace sconce::cuda {

// `index` among the devices that CUDA_VISIBLE_DEVICES leaves. Touches the device only when it is used.
std::unique_ptr<torch_engine::TensorDevice> NewDevice(int index);

}  // namespace sconce::cuda
