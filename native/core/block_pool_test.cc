#include "core/block_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

namespace sconce {
namespace {

constexpr std::size_t kMebi = std::size_t{1} << 20;

// Memory of the heap, counted.
struct Heap {
  int made = 0;
  int dropped = 0;
  std::size_t last_bytes = 0;
  std::size_t limit_bytes = std::size_t{1} << 30;  // of one block
  int fail = 0;                                    // so many of the next ones

  std::shared_ptr<BlockPool> Pool(std::size_t kept_limit) {
    return std::make_shared<BlockPool>(
        [this](std::size_t bytes) -> void* {
          if (bytes > limit_bytes || fail-- > 0) return nullptr;
          ++made;
          last_bytes = bytes;
          return std::malloc(bytes);
        },
        [this](void* memory) {
          ++dropped;
          std::free(memory);
        },
        kept_limit);
  }
};

TEST(BlockPool, WhatIsGivenBackIsUsedAgain) {
  Heap heap;
  const auto pool = heap.Pool(kMebi);
  const std::byte* first = nullptr;
  {
    const auto block = pool->Take(5000);
    ASSERT_TRUE(block);
    first = block->data();
    EXPECT_EQ(pool->kept_bytes(), 0U);
  }
  EXPECT_EQ(pool->kept_bytes(), heap.last_bytes);
  const auto again = pool->Take(6000);
  EXPECT_EQ(again->data(), first);
  EXPECT_NE(pool->Take(6000)->data(), first) << "it is in use";
  EXPECT_EQ(heap.made, 2);
}

TEST(BlockPool, ABlockIsAtMostAPageOrAQuarterLarger) {
  Heap heap;
  const auto pool = heap.Pool(0);
  for (std::size_t bytes = 1; bytes < 64 * kMebi; bytes += bytes / 3 + 1) {
    ASSERT_TRUE(pool->Take(bytes));
    EXPECT_GE(heap.last_bytes, bytes);
    EXPECT_LE(heap.last_bytes, bytes + std::max<std::size_t>(bytes / 4, 4096)) << bytes;
  }
}

TEST(BlockPool, ALargeOneIsNotGivenForALittle) {
  Heap heap;
  const auto pool = heap.Pool(64 * kMebi);
  static_cast<void>(pool->Take(8 * kMebi));
  const auto small = pool->Take(kMebi);
  EXPECT_EQ(heap.last_bytes, kMebi);
  EXPECT_EQ(pool->kept_bytes(), 8 * kMebi);
}

TEST(BlockPool, KeepsNoMoreThanItsLimit) {
  Heap heap;
  const auto pool = heap.Pool(2 * kMebi);
  {
    std::vector<BlockPool::Block> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(*pool->Take(kMebi));
  }
  EXPECT_EQ(pool->kept_bytes(), 2 * kMebi);
  EXPECT_EQ(heap.dropped, 1);
}

TEST(BlockPool, WithoutMemoryWhatIsKeptMakesRoom) {
  Heap heap;
  const auto pool = heap.Pool(4 * kMebi);
  static_cast<void>(pool->Take(kMebi));
  heap.fail = 1;
  EXPECT_TRUE(pool->Take(3 * kMebi));
  EXPECT_EQ(heap.dropped, 1);
  heap.fail = 2;
  EXPECT_FALSE(pool->Take(4 * kMebi));
  EXPECT_FALSE(pool->Take(static_cast<std::size_t>(-1)));
}

TEST(BlockPool, ABlockHasOneOwnerAtATime) {
  const auto pool = std::make_shared<BlockPool>([](std::size_t bytes) { return std::malloc(bytes); }, std::free, kMebi);
  std::vector<std::thread> threads;
  std::atomic<int> shared{0};
  for (int i = 1; i <= 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 500; ++round) {
        const auto block = pool->Take(64);
        *block->data() = std::byte(i);
        std::this_thread::yield();
        if (*block->data() != std::byte(i)) ++shared;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, 0);
  EXPECT_LE(pool->kept_bytes(), 4U * 4096);
}

TEST(BlockPool, BlocksMayOutliveItsOwner) {
  Heap heap;
  auto pool = heap.Pool(kMebi);
  auto block = pool->Take(100);
  pool.reset();
  EXPECT_EQ(heap.dropped, 0);
  block->data()[99] = std::byte{1};
  block.reset();
  EXPECT_EQ(heap.dropped, 1);
}

}  // namespace
}  // namespace sconce
