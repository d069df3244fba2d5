#include "torch/device.h"

namespace sconce::torch_engine {
namespace {

class Cpu final : public TensorDevice {
 public:
  const Device& device() const override { return CpuDevice(); }
  c10::Device where() const override { return c10::Device(c10::kCPU); }
  at::Tensor Upload(const at::Tensor& host) const override { return host; }
  Status Download(std::span<at::Tensor>, Stream&, Event&) const override { return Status::Ok(); }
};

}  // namespace

const TensorDevice& CpuTensors() {
  static const Cpu cpu;
  return cpu;
}

}  // namespace sconce::torch_engine
