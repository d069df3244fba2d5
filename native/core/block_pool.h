// Memory that is costly to make, in blocks that are used again: pinned memory takes a millisecond to make and stops the
// device. What is given back is kept for the next that asks, up to a limit.
//   auto pool = std::make_shared<BlockPool>(make, drop, 256 << 20);
//   std::optional<BlockPool::Block> block = pool->Take(4096);
// A block comes back when its owner lets go of it, and may be given out at once: whoever has a device copy to or from
// it waits for that first. Blocks may outlive the pool's owner. Letting go never throws and calls nothing but `drop`.
// Thread: everything from any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "core/mutex.h"

namespace sconce {

class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  using Make = std::function<void*(std::size_t bytes)>;  // null: none to be had
  using Drop = std::function<void(void* memory)>;        // does not throw

  BlockPool(Make make, Drop drop, std::size_t kept_limit_bytes);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  class Block {
   public:
    Block(Block&& other) noexcept;
    Block& operator=(Block&&) = delete;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block();
    std::byte* data() const { return static_cast<std::byte*>(memory_); }

   private:
    friend class BlockPool;
    Block(std::shared_ptr<BlockPool> pool, void* memory, std::size_t bytes);
    std::shared_ptr<BlockPool> pool_;
    void* memory_;
    std::size_t bytes_;
  };

  // At least `bytes`, at most a page or a quarter more if it is made, twice as much if it was kept. Where there is no
  // memory, what is kept is dropped and asked for once more; nothing: there is none.
  std::optional<Block> Take(std::size_t bytes);

  std::size_t kept_bytes() const;

 private:
  void* TakeKept(std::size_t& bytes);
  void Return(void* memory, std::size_t bytes);
  void DropKept();

  const Make make_;
  const Drop drop_;
  const std::size_t kept_limit_;
  mutable Mutex mutex_;
  std::multimap<std::size_t, void*> kept_ GUARDED_BY(mutex_);  // by size
  std::size_t kept_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sconce
