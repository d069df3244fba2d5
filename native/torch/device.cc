#include "torch/device.h"

#include "core/buffer.h"

namespace sconce::torch_engine {
namespace {

class CpuStaging final : public Staging {
 public:
  explicit CpuStaging(std::size_t bytes) : buffer_(bytes), bytes_(bytes) {}
  std::byte* data() const override { return buffer_.data(); }
  std::size_t bytes() const override { return bytes_; }

 private:
  mutable Buffer buffer_;
  std::size_t bytes_;
};

class CpuStream final : public Stream {
 public:
  void Enter() override {}
  void Leave() override {}
  void Synchronise() override {}
};

class CpuEvent final : public Event {
 public:
  void Record(Stream&) override {}
  void Wait() override {}
};

class Cpu final : public Device {
 public:
  const char* name() const override { return "cpu"; }
  std::unique_ptr<Staging> NewStaging(std::size_t bytes) const override { return std::make_unique<CpuStaging>(bytes); }
  std::unique_ptr<Stream> NewStream() const override { return std::make_unique<CpuStream>(); }
  std::unique_ptr<Event> NewEvent() const override { return std::make_unique<CpuEvent>(); }
  at::Tensor Upload(const at::Tensor& host) const override { return host; }
  at::Tensor Download(const at::Tensor& device) const override { return device; }
};

}  // namespace

const Device& CpuDevice() {
  static const Cpu cpu;
  return cpu;
}

}  // namespace sconce::torch_engine
