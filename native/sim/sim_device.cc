#include "sim/sim_device.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

namespace sconce::sim {

class SimStaging final : public Staging {
 public:
  explicit SimStaging(std::size_t bytes) : block(std::make_shared<SimBlock>(bytes)) {}
  ~SimStaging() override { block->freed.store(true); }
  std::byte* data() const override { return block->memory.data(); }
  std::size_t bytes() const override { return block->memory.size(); }
  const SimBlockPtr block;
};

class SimStream final : public Stream {
 public:
  explicit SimStream(const SimDevice& device) : device_(device) {}
  void Enter() override {}
  void Leave() override {}
  Status Synchronise() override { return device_.Finish(*this, asked, ready_ns); }

  std::deque<SimDevice::Operation> pending;
  std::size_t asked = 0;      // operations so far
  std::size_t finished = 0;   // of them
  std::int64_t ready_ns = 0;  // when all of them are done

 private:
  const SimDevice& device_;
};

class SimEvent final : public Event {
 public:
  explicit SimEvent(const SimDevice& device) : device_(device) {}
  Status Record(Stream& stream) override {
    stream_ = &static_cast<SimStream&>(stream);
    count_ = stream_->asked;
    done_ns_ = stream_->ready_ns;
    return Status::Ok();
  }
  Status Wait() override { return stream_ == nullptr ? Status::Ok() : device_.Finish(*stream_, count_, done_ns_); }

 private:
  const SimDevice& device_;
  SimStream* stream_ = nullptr;
  std::size_t count_ = 0;
  std::int64_t done_ns_ = 0;
};

SimDevice::Allocation::~Allocation() {
  if (!block_) return;
  block_->freed.store(true);
  MutexLock lock(device_->mutex_);
  device_->used_ -= block_->memory.size();
}

Status SimDevice::Lost() const { return {Code::kDeviceLost, "an illegal memory access was encountered"}; }

std::int64_t SimDevice::CopyNs(std::size_t bytes) const {
  return spec_.copy_latency_ns + static_cast<std::int64_t>(static_cast<double>(bytes) / spec_.copy_bytes_per_ns);
}

Result<SimDevice::Allocation> SimDevice::Allocate(std::size_t bytes) const {
  if (lost_.load()) return Lost();
  const Code fault = Ask(SimOp::kAllocate);
  {
    MutexLock lock(mutex_);
    if (fault != Code::kOk || bytes > spec_.memory_bytes - used_) {
      return Status(Code::kOutOfMemory, "tried to allocate " + std::to_string(bytes) + " bytes");
    }
    used_ += bytes;
  }
  return Allocation(*this, std::make_shared<SimBlock>(bytes));
}

// The operation starts when its stream and its engine are free; nothing of it happens before somebody waits.
Status SimDevice::Enqueue(Stream& its_stream, Engine engine, SimOp op, std::int64_t duration_ns,
                          Operation operation) const {
  auto& stream = static_cast<SimStream&>(its_stream);
  if (lost_.load()) return Lost();
  const bool faulty = Ask(op) == Code::kDeviceLost;
  if (faulty && op != SimOp::kLaunch) {
    lost_.store(true);
    return Lost();
  }
  const std::int64_t now = clock_.now();
  MutexLock lock(mutex_);
  const std::int64_t start = std::max({now, stream.ready_ns, busy_until_[engine]});
  operation.done_ns = start + duration_ns;
  operation.breaks_device = faulty;
  stream.ready_ns = busy_until_[engine] = operation.done_ns;
  if (engine == kCompute) compute_ns_ += duration_ns;
  stream.pending.push_back(std::move(operation));
  ++stream.asked;
  return Status::Ok();
}

Status SimDevice::CopyIn(Stream& stream, const Allocation& to, const Staging& from, std::size_t bytes) const {
  const SimBlockPtr source = static_cast<const SimStaging&>(from).block;
  const SimBlockPtr target = to.block();
  return Enqueue(
      stream, kIn, SimOp::kCopyIn, CopyNs(bytes),
      {0, {source, target}, [=] { std::memcpy(target->memory.data(), source->memory.data(), bytes); }, false});
}

Status SimDevice::CopyOut(Stream& stream, const Staging& to, const Allocation& from, std::size_t bytes) const {
  const SimBlockPtr source = from.block();
  const SimBlockPtr target = static_cast<const SimStaging&>(to).block;
  return Enqueue(
      stream, kOut, SimOp::kCopyOut, CopyNs(bytes),
      {0, {source, target}, [=] { std::memcpy(target->memory.data(), source->memory.data(), bytes); }, false});
}

Status SimDevice::Launch(Stream& stream, std::int64_t duration_ns, std::vector<SimBlockPtr> blocks,
                         std::function<void()> kernel) const {
  return Enqueue(stream, kCompute, SimOp::kLaunch, duration_ns, {0, std::move(blocks), std::move(kernel), false});
}

// Waits for the first `count` operations of the stream and lets them happen, in their order.
Status SimDevice::Finish(SimStream& stream, std::size_t count, std::int64_t done_ns) const {
  if (stream.finished >= count) return lost_.load() ? Lost() : Status::Ok();
  clock_.WaitUntil(done_ns);
  while (stream.finished < count) {
    const Operation operation = std::move(stream.pending.front());
    stream.pending.pop_front();
    ++stream.finished;
    if (operation.breaks_device) lost_.store(true);
    if (lost_.load()) continue;
    for (const SimBlockPtr& block : operation.blocks) {
      if (block->freed.load()) violations_.fetch_add(1);
    }
    operation.effect();
  }
  return lost_.load() ? Lost() : Status::Ok();
}

Result<std::unique_ptr<Staging>> SimDevice::NewStaging(std::size_t bytes) const {
  if (lost_.load()) return Lost();
  return std::unique_ptr<Staging>(std::make_unique<SimStaging>(bytes));
}

Result<std::unique_ptr<Stream>> SimDevice::NewStream(StreamPriority) const {
  if (lost_.load()) return Lost();
  return std::unique_ptr<Stream>(std::make_unique<SimStream>(*this));
}

Result<std::unique_ptr<Event>> SimDevice::NewEvent() const {
  if (lost_.load()) return Lost();
  return std::unique_ptr<Event>(std::make_unique<SimEvent>(*this));
}

Result<DeviceMemory> SimDevice::Memory() const {
  if (lost_.load()) return Lost();
  MutexLock lock(mutex_);
  return DeviceMemory{spec_.memory_bytes, spec_.memory_bytes - used_};
}

std::size_t SimDevice::used_bytes() const {
  MutexLock lock(mutex_);
  return used_;
}

std::int64_t SimDevice::compute_ns() const {
  MutexLock lock(mutex_);
  return compute_ns_;
}

}  // namespace sconce::sim
