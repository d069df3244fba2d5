#include "cuda/device.h"

#include <ATen/Functions.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/block_pool.h"
#include "cuda/fault.h"

namespace sconce::cuda {
namespace {

constexpr std::size_t kPinnedKeptBytes = std::size_t{256} << 20;  // per device, between batches

// Takes a failure from the thread, where libtorch's next kernel would find it.
bool Succeeds(cudaError_t error) {
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
  return error == cudaSuccess;
}

// The device is current while this lives. Unlike c10's guard it does not throw.
class Current {
 public:
  explicit Current(int index) : index_(index), before_(index) {
    Succeeds(cudaGetDevice(&before_));
    error_ = before_ == index ? cudaSuccess : cudaSetDevice(index);
  }
  ~Current() {
    if (before_ != index_) Succeeds(cudaSetDevice(before_));
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
  cudaError_t error() const { return error_; }

 private:
  const int index_;
  int before_;
  cudaError_t error_;
};

// Pinned memory of our own. libtorch's records an event when it is let go of, which throws out of a destructor, and so
// ends the process, once the device is lost.
std::shared_ptr<BlockPool> NewPinned(int index) {
  return std::make_shared<BlockPool>(
      [index](std::size_t bytes) -> void* {
        const Current current(index);
        void* memory = nullptr;
        return Succeeds(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable)) ? memory : nullptr;
      },
      [](void* memory) { Succeeds(cudaFreeHost(memory)); }, kPinnedKeptBytes);
}

class PinnedStaging final : public Staging {
 public:
  PinnedStaging(BlockPool::Block block, std::size_t bytes) : block_(std::move(block)), bytes_(bytes) {}
  std::byte* data() const override { return block_.data(); }
  std::size_t bytes() const override { return bytes_; }

 private:
  BlockPool::Block block_;
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
  ~CudaEvent() override { Succeeds(cudaEventDestroy(event_)); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  Status Record(Stream& stream) override {
    return FromCuda(cudaEventRecord(event_, static_cast<CudaStream&>(stream).get()), "recording an event");
  }
  Status Wait() override { return FromCuda(cudaEventSynchronize(event_), "waiting for a batch"); }

 private:
  cudaEvent_t event_;
};

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int index) : index_(index), name_("cuda:" + std::to_string(index)), pinned_(NewPinned(index)) {}

  const std::string& name() const override { return name_; }
  bool is_host() const override { return false; }

  Result<std::unique_ptr<Staging>> NewStaging(std::size_t bytes) const override {
    std::optional<BlockPool::Block> block = pinned_->Take(bytes);
    if (!block) return NoPinned(bytes);
    return std::unique_ptr<Staging>(std::make_unique<PinnedStaging>(std::move(*block), bytes));
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
    if (current.error() != cudaSuccess) return FromCuda(current.error(), "using " + name_);
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

  // The tensor's bytes in pinned memory, to be read once the current stream has come that far.
  Result<at::Tensor> CopyOut(const at::Tensor& from, cudaStream_t stream) const {
    std::optional<BlockPool::Block> block = pinned_->Take(from.nbytes());
    if (!block) return NoPinned(from.nbytes());
    C10_CUDA_CHECK(
        cudaMemcpyAsync(block->data(), from.const_data_ptr(), from.nbytes(), cudaMemcpyDeviceToHost, stream));
    const auto kept = std::make_shared<BlockPool::Block>(std::move(*block));
    return at::from_blob(
        kept->data(), from.sizes(), [kept](void*) {}, from.options().device(c10::kCPU));
  }

 private:
  // What is not enough is the host's memory, not the device's.
  Status NoPinned(std::size_t bytes) const {
    if (Status health = Check(); health.code() == Code::kDeviceLost) return health;
    return {Code::kOutOfMemory, "no pinned host memory for " + std::to_string(bytes) +
                                    " bytes of a batch: lower batchSize, or raise the memory limit of the process or "
                                    "container"};
  }

  const int index_;
  const std::string name_;
  const std::shared_ptr<BlockPool> pinned_;
};

class CudaTensors final : public torch_engine::TensorDevice {
 public:
  explicit CudaTensors(int index) : device_(index), where_(c10::kCUDA, static_cast<c10::DeviceIndex>(index)) {}

  const Device& device() const override { return device_; }
  c10::Device where() const override { return where_; }

  // From pageable memory it returns when the host's bytes were read, from pinned memory at once.
  at::Tensor Upload(const at::Tensor& host) const override {
    const at::Tensor from = host.contiguous();
    at::Tensor tensor = at::empty(from.sizes(), from.options().device(where_).pinned_memory(false));
    if (from.nbytes() == 0) return tensor;
    C10_CUDA_CHECK(cudaMemcpyAsync(tensor.mutable_data_ptr(), from.const_data_ptr(), from.nbytes(),
                                   cudaMemcpyHostToDevice, CurrentStream()));
    return tensor;
  }

  // Waits even when nothing was copied: the staging memory that the batch came from is written again after this.
  Status Download(std::span<at::Tensor> tensors, Stream& stream, Event& done) const override {
    std::vector<at::Tensor> sources;  // whatever stream made them, their memory is taken again only after the wait
    for (at::Tensor& tensor : tensors) {
      if (!tensor.is_cuda()) continue;
      const at::Tensor& from = sources.emplace_back(tensor.resolve_neg().contiguous());
      if (from.nbytes() == 0) {
        tensor = at::empty(from.sizes(), from.options().device(c10::kCPU));
        continue;
      }
      Result<at::Tensor> copy = device_.CopyOut(from, CurrentStream());
      if (!copy.ok()) return copy.status();
      tensor = std::move(*copy);
    }
    if (Status status = done.Record(stream); !status.ok()) return status;
    return done.Wait();
  }

 private:
  cudaStream_t CurrentStream() const { return c10::cuda::getCurrentCUDAStream(where_.index()).stream(); }

  const CudaDevice device_;
  const c10::Device where_;
};

}  // namespace

std::unique_ptr<torch_engine::TensorDevice> NewDevice(int index) { return std::make_unique<CudaTensors>(index); }

}  // namespace sconce::cuda
