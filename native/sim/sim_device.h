// A device that exists in memory only: two copy engines and a compute engine that work one after another on what the
// streams give them, a memory limit, and faults on demand. It is as late as a device may be: a copy or kernel touches
// its bytes only when somebody waits for it, so staging memory that is written too early, or memory that is given back
// too early, is seen in the results or in violations().
// Thread: a SimDevice is shared; streams, events and buffers belong to the thread that made them, as on a real device.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/mutex.h"
#include "sim/sim_clock.h"

namespace sconce::sim {

struct SimSpec {
  std::string name = "sim:0";
  std::size_t memory_bytes = std::size_t{1} << 30;
  double copy_bytes_per_ns = 1;      // in each direction
  std::int64_t copy_latency_ns = 0;  // of each copy
};

enum class SimOp : std::uint8_t { kAllocate, kCopyIn, kLaunch, kCopyOut };

class SimStream;

// Bytes that know whether their owner is gone.
struct SimBlock {
  explicit SimBlock(std::size_t bytes) : memory(bytes) {}
  std::vector<std::byte> memory;
  std::atomic<bool> freed{false};
};
using SimBlockPtr = std::shared_ptr<SimBlock>;

class SimDevice final : public Device {
 public:
  SimDevice(SimSpec spec, SimClock& clock) : spec_(std::move(spec)), clock_(clock) {}

  // Device memory; given back when it is destroyed.
  class Allocation {
   public:
    Allocation(const SimDevice& device, SimBlockPtr block) : device_(&device), block_(std::move(block)) {}
    Allocation(Allocation&&) noexcept = default;
    Allocation& operator=(Allocation&&) = delete;
    ~Allocation();
    const SimBlockPtr& block() const { return block_; }

   private:
    const SimDevice* device_;
    SimBlockPtr block_;
  };

  // Asked before each operation, by the thread that asks for it; kOk, kOutOfMemory (of kAllocate) or kDeviceLost. A
  // device is lost for good, and as on a real one a kernel's fault is seen by who waits for it. Set before use.
  std::function<Code(SimOp)> faults;

  Result<Allocation> Allocate(std::size_t bytes) const;
  Status CopyIn(Stream& stream, const Allocation& to, const Staging& from, std::size_t bytes) const;
  Status CopyOut(Stream& stream, const Staging& to, const Allocation& from, std::size_t bytes) const;
  // `kernel` runs when somebody waits for it; it may touch the blocks it is given.
  Status Launch(Stream& stream, std::int64_t duration_ns, std::vector<SimBlockPtr> blocks,
                std::function<void()> kernel) const;

  const std::string& name() const override { return spec_.name; }
  bool is_host() const override { return false; }
  Result<std::unique_ptr<Staging>> NewStaging(std::size_t bytes) const override;
  Result<std::unique_ptr<Stream>> NewStream(StreamPriority priority) const override;
  Result<std::unique_ptr<Event>> NewEvent() const override;
  Result<DeviceMemory> Memory() const override;
  void ReleaseCached() const override {}
  Status Check() const override { return lost_.load() ? Lost() : Status::Ok(); }

  std::size_t used_bytes() const;
  std::uint64_t violations() const { return violations_.load(); }  // operations on memory that was given back
  std::int64_t compute_ns() const;                                 // time the compute engine worked

 private:
  friend class SimStream;
  friend class SimEvent;
  struct Operation {
    std::int64_t done_ns;
    std::vector<SimBlockPtr> blocks;
    std::function<void()> effect;
    bool breaks_device;
  };
  enum Engine : std::uint8_t { kIn, kOut, kCompute };

  Status Lost() const;
  Code Ask(SimOp op) const { return faults ? faults(op) : Code::kOk; }
  std::int64_t CopyNs(std::size_t bytes) const;
  Status Enqueue(Stream& stream, Engine engine, SimOp op, std::int64_t duration_ns, Operation operation) const;
  Status Finish(SimStream& stream, std::size_t count, std::int64_t done_ns) const;

  const SimSpec spec_;
  SimClock& clock_;
  mutable std::atomic<bool> lost_{false};
  mutable std::atomic<std::uint64_t> violations_{0};
  mutable Mutex mutex_;
  mutable std::size_t used_ GUARDED_BY(mutex_) = 0;
  mutable std::int64_t busy_until_[3] GUARDED_BY(mutex_) = {0, 0, 0};  // by Engine
  mutable std::int64_t compute_ns_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sconce::sim
