// What a device offers to what runs on it: host memory that batches are gathered in, an order of work, marks in that
// order to wait for, and how much memory there is. Nothing here throws; a fault is a Status:
//   kOutOfMemory   the device has not the memory; less at a time may fit
//   kDeviceLost    the device is out of order for this process (a sticky error, a vanished driver): no call will work
//   anything else  this call failed, the device works
// Thread: a Device is shared and immutable; Staging, Stream and Event belong to the executor thread that made them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/status.h"

namespace sconce {

// Host memory for the forming batch, 64-byte aligned (pinned where the device copies from it by itself). It is written
// again only after a wait for what read it.
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
  virtual Status Synchronise() = 0;  // ok: everything queued so far is done. For loading, never per batch
};

// A mark in a stream. Waiting blocks the thread without spinning.
class Event {
 public:
  virtual ~Event() = default;
  virtual Status Record(Stream& stream) = 0;
  virtual Status Wait() = 0;  // ok: what was queued before the mark is done
};

struct DeviceMemory {
  std::size_t total_bytes = 0;
  std::size_t free_bytes = 0;
};

enum class StreamPriority : std::uint8_t { kNormal, kHigh };

class Device {
 public:
  virtual ~Device() = default;
  virtual const std::string& name() const = 0;  // "cpu", "cuda:0"
  // Work is done when its call returns and tensors lie in the host's memory: nothing is copied or waited for.
  virtual bool is_host() const = 0;
  virtual Result<std::unique_ptr<Staging>> NewStaging(std::size_t bytes) const = 0;
  virtual Result<std::unique_ptr<Stream>> NewStream(StreamPriority priority) const = 0;
  virtual Result<std::unique_ptr<Event>> NewEvent() const = 0;
  virtual Result<DeviceMemory> Memory() const = 0;
  virtual void ReleaseCached() const = 0;  // memory that is kept for later and used by nobody goes back to the device
  virtual Status Check() const = 0;        // kDeviceLost: no call will work any more. Asked after a batch failed
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

// Memory from Buffer, streams and events without work, the host's memory figures.
const Device& CpuDevice();

}  // namespace sconce
