#include "core/block_pool.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace sconce {
namespace {

constexpr std::size_t kLeast = 4096;  // a page: pinned memory comes in no less
constexpr std::size_t kWasteful = 2;  // a kept block is not given to who asks for less than half of it

// Quarters of a power of two, so that sizes that differ little share blocks.
std::size_t RoundUp(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) return bytes;  // there is no such memory
  const std::size_t step = std::max(kLeast, std::bit_floor(bytes) / 4);
  return std::max(kLeast, (bytes + step - 1) / step * step);
}

}  // namespace

BlockPool::BlockPool(Make make, Drop drop, std::size_t kept_limit_bytes)
    : make_(std::move(make)), drop_(std::move(drop)), kept_limit_(kept_limit_bytes) {}

BlockPool::~BlockPool() { DropKept(); }

BlockPool::Block::Block(std::shared_ptr<BlockPool> pool, void* memory, std::size_t bytes)
    : pool_(std::move(pool)), memory_(memory), bytes_(bytes) {}

BlockPool::Block::Block(Block&& other) noexcept
    : pool_(std::move(other.pool_)), memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}

BlockPool::Block::~Block() {
  if (memory_ != nullptr) pool_->Return(memory_, bytes_);
}

std::optional<BlockPool::Block> BlockPool::Take(std::size_t bytes) {
  bytes = RoundUp(bytes);
  void* memory = TakeKept(bytes);
  if (memory == nullptr) memory = make_(bytes);
  if (memory == nullptr) {
    DropKept();
    memory = make_(bytes);
  }
  if (memory == nullptr) return std::nullopt;
  return Block(shared_from_this(), memory, bytes);
}

// The smallest that is large enough; `bytes` becomes its size.
void* BlockPool::TakeKept(std::size_t& bytes) {
  MutexLock lock(mutex_);
  const auto found = kept_.lower_bound(bytes);
  if (found == kept_.end() || found->first / kWasteful > bytes) return nullptr;
  bytes = found->first;
  void* const memory = found->second;
  kept_bytes_ -= bytes;
  kept_.erase(found);
  return memory;
}

void BlockPool::Return(void* memory, std::size_t bytes) {
  {
    MutexLock lock(mutex_);
    if (bytes <= kept_limit_ - std::min(kept_bytes_, kept_limit_)) {
      kept_bytes_ += bytes;
      kept_.emplace(bytes, memory);
      return;
    }
  }
  drop_(memory);
}

void BlockPool::DropKept() {
  std::multimap<std::size_t, void*> kept;
  {
    MutexLock lock(mutex_);
    kept.swap(kept_);
    kept_bytes_ = 0;
  }
  for (const auto& [bytes, memory] : kept) drop_(memory);
}

std::size_t BlockPool::kept_bytes() const {
  MutexLock lock(mutex_);
  return kept_bytes_;
}

}  // namespace sconce
