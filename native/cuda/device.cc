#include "cuda/device.h"

#include <ATen/Functions.h>
#include <ATen/core/CachingHostAllocator.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <optional>
#include <utility>

#include "cuda/fault.h"

namespace sconce::cuda {
namespace {

// From libtorch's cache of pinned memory: cudaHostAlloc takes a millisecond and stops the device.
class PinnedStaging final : public Staging {
 public:
  PinnedStaging(c10::DataPtr memory, std::size_t bytes) : memory_(std::move(memory)), bytes_(bytes) {}
  std::byte* data() const override { return static_cast<std::byte*>(memory_.get()); }
  std::size_t bytes() const override { return bytes_; }

 private:
  c10::DataPtr memory_;
  std::size_t bytes_;
};

class CudaStream final : public Stream {
 public:
  explicit CudaStream(c10::cuda::CUDAStream stream) : stream_(stream) {}

  // A guard on a device that is lost throws; the batch's first real call then says so.
  void Enter() override {
    try {
      guard_.emplace(stream_);
    } catch (...) {
      guard_.reset();
    }
  }
  void Leave() override { guard_.reset(); }
  Status Synchronise() override { return FromCuda(cudaStreamSynchronize(stream_.stream()), "waiting for a stream"); }
  cudaStream_t get() const { return stream_.stream(); }

 private:
  c10::cuda::CUDAStream stream_;
  std::optional<c10::cuda::CUDAStreamGuard> guard_;
};

// cudaEventBlockingSync: whoever waits sleeps until the driver wakes it.
class CudaEvent final : public Event {
 public:
  explicit CudaEvent(cudaEvent_t event) : event_(event) {}
  ~CudaEvent() override { static_cast<void>(cudaEventDestroy(event_)); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  Status Record(Stream& stream) override {
    return FromCuda(cudaEventRecord(event_, static_cast<CudaStream&>(stream).get()), "recording an event");
  }
  Status Wait() override { return FromCuda(cudaEventSynchronize(event_), "waiting for a batch"); }

 private:
  cudaEvent_t event_;
};

// The device is current while this lives. Unlike c10's guard it does not throw.
class Current {
 public:
  explicit Current(int index) {
    static_cast<void>(cudaGetDevice(&before_));
    error_ = cudaSetDevice(index);
  }
  ~Current() { static_cast<void>(cudaSetDevice(before_)); }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
  cudaError_t error() const { return error_; }

 private:
  int before_ = 0;
  cudaError_t error_;
};

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int index) : index_(index), name_("cuda:" + std::to_string(index)) {}

  const std::string& name() const override { return name_; }
  bool is_host() const override { return false; }

  Result<std::unique_ptr<Staging>> NewStaging(std::size_t bytes) const override {
    const Current current(index_);
    try {
      c10::DataPtr memory = at::getHostAllocator(at::kCUDA)->allocate(bytes);
      return std::unique_ptr<Staging>(std::make_unique<PinnedStaging>(std::move(memory), bytes));
    } catch (...) {
      return CurrentFault("no pinned memory for " + std::to_string(bytes) + " bytes of a batch");
    }
  }

  Result<std::unique_ptr<Stream>> NewStream(StreamPriority priority) const override {
    const Current current(index_);
    if (current.error() != cudaSuccess) return FromCuda(current.error(), "using " + name_);
    try {
      const bool high = priority == StreamPriority::kHigh;
      return std::unique_ptr<Stream>(
          std::make_unique<CudaStream>(c10::cuda::getStreamFromPool(high, static_cast<c10::DeviceIndex>(index_))));
    } catch (...) {
      return CurrentFault("no stream on " + name_);
    }
  }

  Result<std::unique_ptr<Event>> NewEvent() const override {
    const Current current(index_);
    if (current.error() != cudaSuccess) return FromCuda(current.error(), "using " + name_);
    cudaEvent_t event = nullptr;
    const cudaError_t error = cudaEventCreateWithFlags(&event, cudaEventBlockingSync | cudaEventDisableTiming);
    if (error != cudaSuccess) return FromCuda(error, "no event on " + name_);
    return std::unique_ptr<Event>(std::make_unique<CudaEvent>(event));
  }

  Result<DeviceMemory> Memory() const override {
    const Current current(index_);
    DeviceMemory memory;
    const cudaError_t error = cudaMemGetInfo(&memory.free_bytes, &memory.total_bytes);
    if (error != cudaSuccess) return FromCuda(error, "asking " + name_ + " for its memory");
    return memory;
  }

  void ReleaseCached() const override {
    try {
      c10::cuda::CUDACachingAllocator::emptyCache();
    } catch (...) {
      static_cast<void>(CurrentFault("releasing cached memory"));  // Check says what there is to say
    }
  }

  // cudaMemGetInfo because it may be called while another thread captures a graph, and a sticky error answers it too.
  Status Check() const override {
    const Result<DeviceMemory> memory = Memory();
    return memory.ok() ? Status::Ok() : memory.status();
  }

 private:
  const int index_;
  const std::string name_;
};

class CudaTensors final : public torch_engine::TensorDevice {
 public:
  explicit CudaTensors(int index) : device_(index), where_(c10::kCUDA, static_cast<c10::DeviceIndex>(index)) {}

  const Device& device() const override { return device_; }
  c10::Device where() const override { return where_; }

  at::Tensor Upload(const at::Tensor& host) const override {
    at::Tensor tensor = at::empty(host.sizes(), host.options().device(where_));
    tensor.copy_(host, /*non_blocking=*/true);
    return tensor;
  }

  Status Download(std::span<at::Tensor> tensors, Stream& stream, Event& done) const override {
    const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream(where_.index());
    bool copied = false;
    for (at::Tensor& tensor : tensors) {
      if (!tensor.is_cuda()) continue;
      at::Tensor host = at::empty(tensor.sizes(), tensor.options().device(c10::kCPU).pinned_memory(true));
      host.copy_(tensor, /*non_blocking=*/true);
      // The model may have made it on a stream of its own; its memory is then free only after this copy.
      c10::cuda::CUDACachingAllocator::recordStream(tensor.storage().data_ptr(), current);
      tensor = std::move(host);
      copied = true;
    }
    if (!copied) return Status::Ok();
    if (Status status = done.Record(stream); !status.ok()) return status;
    return done.Wait();
  }

 private:
  const CudaDevice device_;
  const c10::Device where_;
};

}  // namespace

std::unique_ptr<torch_engine::TensorDevice> NewDevice(int index) { return std::make_unique<CudaTensors>(index); }

}  // namespace sconce::cuda
