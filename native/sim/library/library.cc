// Simulated GPUs for tests of a whole server: their memory is the host's, their faults come by a file that the test
// writes. What is tested is everything above a device: who runs where, batches that are split, a device that is lost.
//
//   SIMULATED_GPUS        how many; absent: none, as on a machine without a GPU
//   SIMULATED_GPU_PROBLEM     why there are none
//   SIMULATED_GPU_FAULTS      a file, read at every batch; one line per fault:
//                            rows 1 4     GPU 1 has memory for 4 rows of a batch
//                            lost 0       GPU 0 is lost
//                            broken 1     GPU 1 cannot be opened
// Thread: as TensorDevice.
#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "torch/device_library.h"

namespace sconce::sim {
namespace {

using torch_engine::DevicePicture;
using torch_engine::TensorDevice;

constexpr std::size_t kMemory = std::size_t{1} << 30;
constexpr std::size_t kAlign = 64;

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int Count() {
  const std::string count = Variable("SIMULATED_GPUS");
  return count.empty() ? 0 : std::atoi(count.c_str());
}

// The number that the file gives for this fault of this GPU, or -1.
long Fault(const std::string& kind, int index) {
  std::ifstream file(Variable("SIMULATED_GPU_FAULTS"));
  std::string line;
  const std::string head = kind + " " + std::to_string(index);
  while (std::getline(file, line)) {
    if (line == head) return 0;
    if (line.rfind(head + " ", 0) == 0) return std::atol(line.c_str() + head.size());
  }
  return -1;
}

class SimStaging final : public Staging {
 public:
  explicit SimStaging(std::size_t bytes)
      : bytes_(bytes),
        memory_(static_cast<std::byte*>(std::aligned_alloc(kAlign, (bytes + kAlign - 1) / kAlign * kAlign))) {}
  ~SimStaging() override { std::free(memory_); }
  SimStaging(const SimStaging&) = delete;
  SimStaging& operator=(const SimStaging&) = delete;
  std::byte* data() const override { return memory_; }
  std::size_t bytes() const override { return bytes_; }

 private:
  const std::size_t bytes_;
  std::byte* const memory_;
};

class SimStream final : public Stream {
 public:
  void Enter() override {}
  void Leave() override {}
  Status Synchronise() override { return Status::Ok(); }
};

class SimEvent final : public Event {
 public:
  Status Record(Stream&) override { return Status::Ok(); }
  Status Wait() override { return Status::Ok(); }
};

class SimGpu final : public Device {
 public:
  explicit SimGpu(int index) : index_(index), name_("sim:" + std::to_string(index)) {}

  const std::string& name() const override { return name_; }
  bool is_host() const override { return false; }
  Result<std::unique_ptr<Staging>> NewStaging(std::size_t bytes) const override {
    return std::unique_ptr<Staging>(std::make_unique<SimStaging>(bytes));
  }
  Result<std::unique_ptr<Stream>> NewStream(StreamPriority) const override {
    return std::unique_ptr<Stream>(std::make_unique<SimStream>());
  }
  Result<std::unique_ptr<Event>> NewEvent() const override {
    return std::unique_ptr<Event>(std::make_unique<SimEvent>());
  }
  Result<DeviceMemory> Memory() const override { return DeviceMemory{kMemory, kMemory}; }
  void ReleaseCached() const override {}
  Status Check() const override {
    return Lost() ? Status(Code::kDeviceLost, "simulated: an illegal memory access was encountered") : Status::Ok();
  }

  bool Lost() const {
    if (Fault("lost", index_) >= 0) lost_ = true;  // for good
    return lost_;
  }
  int index() const { return index_; }

 private:
  const int index_;
  const std::string name_;
  mutable std::atomic<bool> lost_{false};
};

class SimTensors final : public TensorDevice {
 public:
  explicit SimTensors(int index) : device_(index) {}
  const Device& device() const override { return device_; }
  c10::Device where() const override { return c10::Device(c10::kCPU); }

  // Fails as libtorch does on CUDA: by its own exceptions.
  at::Tensor Upload(const at::Tensor& host) const override {
    TORCH_CHECK(!device_.Lost(), "CUDA error: an illegal memory access was encountered");
    const long rows = Fault("rows", device_.index());
    TORCH_CHECK_WITH(OutOfMemoryError, rows < 0 || host.dim() == 0 || host.size(0) <= rows,
                     "CUDA out of memory. Tried to allocate ", host.nbytes(), " bytes.");
    return host.clone();
  }

  Status Download(std::span<at::Tensor> tensors, Stream& stream, Event& done) const override {
    for (at::Tensor& tensor : tensors) tensor = tensor.clone();
    if (Status status = done.Record(stream); !status.ok()) return status;
    if (Status status = done.Wait(); !status.ok()) return status;
    return device_.Check();
  }

 private:
  const SimGpu device_;
};

class SimLibrary final : public torch_engine::DeviceLibrary {
 public:
  DevicePicture Picture() const override {
    DevicePicture picture;
    picture.library = "simulated GPUs for tests";
    picture.problem = Variable("SIMULATED_GPU_PROBLEM");
    if (!picture.problem.empty()) return picture;
    picture.driver = "0.0";
    for (int index = 0; index < Count(); ++index) picture.devices.push_back({index, "a simulated GPU", "sim", kMemory});
    if (picture.devices.empty()) picture.problem = "the NVIDIA driver shows no GPU to this process";
    return picture;
  }

  Result<std::unique_ptr<TensorDevice>> Open(int index) const override {
    if (Fault("broken", index) >= 0) {
      return Status(Code::kInvalidModel, "this libtorch has no kernels for sim:" + std::to_string(index));
    }
    return std::unique_ptr<TensorDevice>(std::make_unique<SimTensors>(index));
  }
};

}  // namespace
}  // namespace sconce::sim

extern "C" __attribute__((visibility("default"))) const sconce::torch_engine::DeviceLibrary* sconce_device_library_1() {
  static const sconce::sim::SimLibrary library;
  return &library;
}
