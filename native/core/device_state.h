// What is known of a device while it serves: whether it is in service, how much of its memory each model holds, and who
// may run on it now.
//
// Memory is promised before it is used: a load reserves what its weights and its largest batch take, and is refused
// when that would exceed the device's capacity. Running batches are bounded by slots, given in order of arrival; those
// of models with high priority go first, but at most kHighInARow times while another one waits.
// Thread: all methods from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/mutex.h"

namespace sconce {

struct DeviceFigures {
  std::string name;
  bool in_service = true;
  std::string reason;  // why it is not
  std::size_t capacity_bytes = 0;
  std::size_t reserved_bytes = 0;
  std::vector<std::pair<std::string, std::size_t>> models;  // who holds how much, in order of reservation
  std::uint32_t running = 0;                                // batches that hold a slot
  std::uint32_t waiting = 0;                                // batches that wait for one
  std::uint64_t batches = 0;                                // that had a slot
  std::uint64_t busy_ns = 0;                                // time they held it, together
  std::uint64_t splits = 0;                                 // batches split because memory ran out
};

class DeviceState {
 public:
  static constexpr int kHighInARow = 8;

  // `device` outlives the state. `on_lost` is called once, by the thread that finds the device out of order.
  DeviceState(const Device& device, std::size_t capacity_bytes, std::uint32_t max_running,
              std::function<void(const std::string& reason)> on_lost = nullptr);
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  const Device& device() const { return device_; }

  // A promise of memory to one model; given back when it is destroyed.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept;
    Share& operator=(Share&& other) noexcept;
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share();
    std::size_t bytes() const { return bytes_; }
    // What the model turned out to need. kOutOfMemory: that is more than there is, and the share is as before.
    Status Change(std::size_t bytes);

   private:
    friend class DeviceState;
    Share(DeviceState* owner, std::uint64_t id, std::size_t bytes) : owner_(owner), id_(id), bytes_(bytes) {}
    DeviceState* owner_ = nullptr;
    std::uint64_t id_ = 0;
    std::size_t bytes_ = 0;
  };
  // kOutOfMemory names what is asked, what is free, and who holds the rest. kDeviceLost.
  Result<Share> Reserve(const std::string& model, std::size_t bytes);

  // The right to run one batch; waits for it. Given back when it is destroyed.
  class Slot {
   public:
    explicit Slot(DeviceState& state, StreamPriority priority);
    ~Slot();
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

   private:
    DeviceState& state_;
    std::int64_t since_ns_;
  };

  bool in_service() const { return in_service_.load(std::memory_order_acquire); }
  // The first reason stays. There is no way back in this process.
  void TakeOut(const std::string& reason);
  Status LostStatus() const;  // kDeviceLost, with the reason

  void OnSplit() { splits_.fetch_add(1, std::memory_order_relaxed); }
  DeviceFigures Figures() const;

 private:
  struct Held {
    std::uint64_t id;
    std::string model;
    std::size_t bytes;
  };
  struct Waiter {
    CondVar granted_signal;
    bool granted = false;
  };

  void Enter(StreamPriority priority);
  void Leave(std::int64_t held_ns);
  Waiter* NextWaiter() REQUIRES(slot_mutex_);
  Status Grow(std::uint64_t id, const std::string& model, std::size_t from, std::size_t to) REQUIRES(memory_mutex_);
  Status ChangeShare(std::uint64_t id, std::size_t bytes);
  void Release(std::uint64_t id);

  const Device& device_;
  const std::size_t capacity_;
  const std::uint32_t max_running_;
  const std::function<void(const std::string&)> on_lost_;
  std::atomic<bool> in_service_{true};
  std::atomic<std::uint64_t> splits_{0};

  mutable Mutex memory_mutex_;
  std::vector<Held> held_ GUARDED_BY(memory_mutex_);
  std::size_t reserved_ GUARDED_BY(memory_mutex_) = 0;
  std::uint64_t next_id_ GUARDED_BY(memory_mutex_) = 1;
  std::string reason_ GUARDED_BY(memory_mutex_);

  mutable Mutex slot_mutex_;
  std::array<std::deque<Waiter*>, 2> waiters_ GUARDED_BY(slot_mutex_);  // by StreamPriority
  std::uint32_t running_ GUARDED_BY(slot_mutex_) = 0;
  int high_in_a_row_ GUARDED_BY(slot_mutex_) = 0;
  std::uint64_t batches_ GUARDED_BY(slot_mutex_) = 0;
  std::uint64_t busy_ns_ GUARDED_BY(slot_mutex_) = 0;
};

}  // namespace sconce
