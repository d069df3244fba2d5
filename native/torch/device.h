// Tensors on a device: where they lie, and the two copies. The rest of a device is core/device.h.
// Thread: immutable and shared; Upload and Download on the executor thread whose stream is current.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "core/device.h"

namespace sconce::torch_engine {

class TensorDevice {
 public:
  virtual ~TensorDevice() = default;
  virtual const Device& device() const = 0;
  virtual c10::Device where() const = 0;
  // The tensor on the device; queued on the current stream, `host` must stay as it is until that is done. Throws what
  // libtorch throws.
  virtual at::Tensor Upload(const at::Tensor& host) const = 0;
  // Puts each tensor's copy in host memory in its place; complete when it returns. `done` marks the end of the copies
  // in `stream`, which is current. Throws what libtorch throws.
  virtual Status Download(std::span<at::Tensor> tensors, Stream& stream, Event& done) const = 0;
};

// Copies are the identity.
const TensorDevice& CpuTensors();

}  // namespace sconce::torch_engine
