#include "core/batch_limit.h"

#include <algorithm>

namespace sconce {

BatchLimit::BatchLimit(std::uint32_t configured)
    : configured_(std::max<std::uint32_t>(configured, 1)), current_(configured_) {}

void BatchLimit::OnOutOfMemory(std::uint32_t rows) {
  const std::uint32_t fits = std::max<std::uint32_t>(rows / 2, 1);
  MutexLock lock(mutex_);
  quiet_ = 0;
  if (fits >= current()) return;  // a lane that had taken its batch before the limit fell
  if (raised_) needed_ = std::min(needed_ * 2, kMaxQuietBatches);
  raised_ = false;
  current_.store(fits, std::memory_order_relaxed);
}

void BatchLimit::OnSuccess() {
  if (!lowered()) return;
  MutexLock lock(mutex_);
  if (!lowered() || ++quiet_ < needed_) return;
  quiet_ = 0;
  raised_ = true;
  const std::uint32_t now = current();
  current_.store(now > configured_ / 2 ? configured_ : now * 2, std::memory_order_relaxed);
}

}  // namespace sconce
