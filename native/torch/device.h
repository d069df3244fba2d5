// What a device must offer to the runner: host memory that batches are gathered in, a stream that work is ordered on,
// events to wait for, and the two copies. The CPU is the first implementation; another device is one more.
// Thread: a Device is shared and immutable; Staging, Stream and Event belong to the executor thread that made them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>

namespace sconce::torch_engine {

// Host memory for the forming batch, 64-byte aligned (pinned where the device copies from it by itself).
class Staging {
 public:
  virtual ~Staging() = default;
  virtual std::byte* data() const = 0;
  virtual std::size_t bytes() const = 0;
};

// An order of work on the device. Enter makes it current on the calling thread, Leave restores what was.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void Enter() = 0;
  virtual void Leave() = 0;
  virtual void Synchronise() = 0;  // returns when everything queued so far is done
};

class Event {
 public:
  virtual ~Event() = default;
  virtual void Record(Stream& stream) = 0;
  virtual void Wait() = 0;  // blocks the calling thread until what was recorded is done
};

class Device {
 public:
  virtual ~Device() = default;
  virtual const char* name() const = 0;
  virtual std::unique_ptr<Staging> NewStaging(std::size_t bytes) const = 0;  // throws std::bad_alloc
  virtual std::unique_ptr<Stream> NewStream() const = 0;
  virtual std::unique_ptr<Event> NewEvent() const = 0;
  virtual at::Tensor Upload(const at::Tensor& host) const = 0;      // on the current stream
  virtual at::Tensor Download(const at::Tensor& device) const = 0;  // complete when it returns
};

// The scope in which a stream is current.
class StreamGuard {
 public:
  explicit StreamGuard(Stream& stream) : stream_(stream) { stream_.Enter(); }
  ~StreamGuard() { stream_.Leave(); }
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  Stream& stream_;
};

// Work is done when the call returns, copies are the identity.
const Device& CpuDevice();

}  // namespace sconce::torch_engine
