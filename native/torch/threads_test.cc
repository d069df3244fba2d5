#include "torch/threads.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

namespace sconce::torch_engine {
namespace {

// Threads that set different numbers before any of them has run an operator: each keeps its own.
TEST(UseThreads, HoldsForTheThreadWhateverOthersSet) {
  const std::vector<int> counts = {1, 3, 2, 1, 4};
  std::vector<int> seen(counts.size());
  std::latch set(static_cast<std::ptrdiff_t>(counts.size()));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    threads.emplace_back([&, i] {
      UseThreads(counts[i]);
      set.arrive_and_wait();
      const at::Tensor big = at::ones({1 << 20});
      static_cast<void>(big.add(1).sum());
      seen[i] = at::get_num_threads();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, counts);
}

TEST(UseThreads, IsOneAtLeast) {
  std::thread([] {
    UseThreads(0);
    EXPECT_EQ(at::get_num_threads(), 1);
  }).join();
}

}  // namespace
}  // namespace sconce::torch_engine
