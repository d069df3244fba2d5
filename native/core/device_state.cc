#include "core/device_state.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/clock.h"

namespace sconce {
namespace {

constexpr double kMebi = 1024.0 * 1024.0;
constexpr std::size_t kNormal = static_cast<std::size_t>(StreamPriority::kNormal);
constexpr std::size_t kHigh = static_cast<std::size_t>(StreamPriority::kHigh);

std::string Mebi(std::size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / kMebi);
  return text;
}

}  // namespace

DeviceState::DeviceState(const Device& device, std::size_t capacity_bytes, std::uint32_t max_running,
                         std::function<void(const std::string&)> on_lost)
    : device_(device),
      capacity_(capacity_bytes),
      max_running_(std::max<std::uint32_t>(max_running, 1)),
      on_lost_(std::move(on_lost)) {}

// ── memory ──

DeviceState::Share::Share(Share&& other) noexcept { *this = std::move(other); }

DeviceState::Share& DeviceState::Share::operator=(Share&& other) noexcept {
  std::swap(owner_, other.owner_);
  std::swap(id_, other.id_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

DeviceState::Share::~Share() {
  if (owner_ != nullptr) owner_->Release(id_);
}

Status DeviceState::Share::Change(std::size_t bytes) {
  if (owner_ == nullptr) return {Code::kInternal, "a share of no device cannot change"};
  Status status = owner_->ChangeShare(id_, bytes);
  if (status.ok()) bytes_ = bytes;
  return status;
}

// Takes the share from `from` to `to` bytes, or says who is in the way.
Status DeviceState::Grow(std::uint64_t id, const std::string& model, std::size_t from, std::size_t to) {
  const std::size_t others = reserved_ - from;
  if (others <= capacity_ && to <= capacity_ - others) {
    reserved_ = others + to;
    return Status::Ok();
  }
  std::string holders;
  for (const Held& each : held_) {
    if (each.id == id || each.bytes == 0) continue;
    holders += (holders.empty() ? "" : ", ") + each.model + " " + Mebi(each.bytes);
  }
  const std::string rest = Mebi(capacity_ - std::min(others, capacity_)) + " of " + Mebi(capacity_);
  return {Code::kOutOfMemory, "model " + model + " needs " + Mebi(to) + " on " + device_.name() + ", where " + rest +
                                  " are free" + (holders.empty() ? "" : " (" + holders + ")") +
                                  "; unregister a model, lower batchSize, or place it on another device (deviceIds)"};
}

Result<DeviceState::Share> DeviceState::Reserve(const std::string& model, std::size_t bytes) {
  if (!in_service()) return LostStatus();
  MutexLock lock(memory_mutex_);
  const std::uint64_t id = next_id_++;
  if (Status status = Grow(id, model, 0, bytes); !status.ok()) return status;
  held_.push_back({id, model, bytes});
  return Share(this, id, bytes);
}

Status DeviceState::ChangeShare(std::uint64_t id, std::size_t bytes) {
  MutexLock lock(memory_mutex_);
  const auto found = std::ranges::find(held_, id, &Held::id);
  if (Status status = Grow(id, found->model, found->bytes, bytes); !status.ok()) return status;
  found->bytes = bytes;
  return Status::Ok();
}

void DeviceState::Release(std::uint64_t id) {
  MutexLock lock(memory_mutex_);
  const auto found = std::ranges::find(held_, id, &Held::id);
  reserved_ -= found->bytes;
  held_.erase(found);
}

// ── service ──

void DeviceState::TakeOut(const std::string& reason) {
  {
    MutexLock lock(memory_mutex_);
    if (!in_service()) return;
    reason_ = reason;
    in_service_.store(false, std::memory_order_release);
  }
  if (on_lost_) on_lost_(reason);
}

Status DeviceState::LostStatus() const {
  MutexLock lock(memory_mutex_);
  return {Code::kDeviceLost, "device " + device_.name() + " is out of service: " + reason_};
}

// ── slots ──

DeviceState::Slot::Slot(DeviceState& state, StreamPriority priority) : state_(state) {
  state_.Enter(priority);
  since_ns_ = MonotonicNs();
}

DeviceState::Slot::~Slot() { state_.Leave(MonotonicNs() - since_ns_); }

void DeviceState::Enter(StreamPriority priority) {
  MutexLock lock(slot_mutex_);
  if (running_ < max_running_) {  // whoever leaves hands its slot to a waiter, so nobody is overtaken here
    ++running_;
    return;
  }
  Waiter self;
  waiters_[static_cast<std::size_t>(priority)].push_back(&self);
  while (!self.granted) self.granted_signal.Wait(slot_mutex_);
}

DeviceState::Waiter* DeviceState::NextWaiter() {
  const bool both = !waiters_[kHigh].empty() && !waiters_[kNormal].empty();
  const bool high = !waiters_[kHigh].empty() && !(both && high_in_a_row_ >= kHighInARow);
  std::deque<Waiter*>& from = waiters_[high ? kHigh : kNormal];
  high_in_a_row_ = high && both ? high_in_a_row_ + 1 : 0;
  if (from.empty()) return nullptr;
  Waiter* const next = from.front();
  from.pop_front();
  return next;
}

void DeviceState::Leave(std::int64_t held_ns) {
  MutexLock lock(slot_mutex_);
  ++batches_;
  busy_ns_ += static_cast<std::uint64_t>(std::max<std::int64_t>(held_ns, 0));
  if (Waiter* const next = NextWaiter()) {
    next->granted = true;
    next->granted_signal.NotifyOne();  // under the lock: the waiter lives on its thread's stack
  } else {
    --running_;
  }
}

DeviceFigures DeviceState::Figures() const {
  DeviceFigures figures;
  figures.name = device_.name();
  figures.splits = splits_.load(std::memory_order_relaxed);
  {
    MutexLock lock(memory_mutex_);
    figures.in_service = in_service();
    figures.reason = reason_;
    figures.capacity_bytes = capacity_;
    figures.reserved_bytes = reserved_;
    for (const Held& each : held_) figures.models.emplace_back(each.model, each.bytes);
  }
  MutexLock lock(slot_mutex_);
  figures.running = running_;
  figures.waiting = static_cast<std::uint32_t>(waiters_[kNormal].size() + waiters_[kHigh].size());
  figures.batches = batches_;
  figures.busy_ns = busy_ns_;
  return figures;
}

}  // namespace sconce
