#include "core/reaper.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace sconce {
namespace {

TEST(Reaper, RunsWorkInOrderElsewhere) {
  std::vector<int> order;
  std::thread::id where;
  for (int i = 0; i < 3; ++i) {
    PostToReaper([&, i] {
      order.push_back(i);
      where = std::this_thread::get_id();
    });
  }
  WaitForReaper();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(Reaper, WorkIsGoneWhenWaitReturns) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  PostToReaper([held = std::move(held)] {});
  WaitForReaper();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace sconce
