#include "core/batch_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace sconce {
namespace {

struct Case {
  const char* name;
  std::vector<BatchCandidate> waiting;
  BatchLimits limits;
  std::int64_t now_ns;
  std::string verdicts;  // T taken, . left, X expired, C cancelled
  std::int64_t wait_until_ns;
};

BatchCandidate Of(std::uint64_t key, std::uint32_t rows = 1, std::int64_t at = 0, std::int64_t deadline = 0,
                  bool cancelled = false) {
  return {.shape_key = key, .rows = rows, .enqueued_ns = at, .deadline_ns = deadline, .cancelled = cancelled};
}

BatchLimits Limits(std::uint32_t max_rows, std::int64_t delay = 0, std::uint32_t idle = 1, bool in_order = false) {
  return {.max_rows = max_rows, .max_delay_ns = delay, .idle_executors = idle, .in_order = in_order};
}

// Two executors of which the asking one may wait until 50 for its share of these and `outstanding` rows.
BatchLimits Settles(std::uint32_t max_rows, std::uint32_t outstanding, std::uint32_t idle = 1) {
  BatchLimits limits = Limits(max_rows, 0, idle);
  limits.settle_until_ns = 50;
  limits.outstanding = outstanding;
  limits.executors = 2;
  return limits;
}

std::string Text(const std::vector<Verdict>& verdicts) {
  std::string text;
  for (const Verdict verdict : verdicts) text += ".TXC"[static_cast<std::size_t>(verdict)];
  return text;
}

class Table : public testing::TestWithParam<Case> {};

TEST_P(Table, Chooses) {
  const Case& given = GetParam();
  std::vector<Verdict> verdicts(given.waiting.size(), Verdict::kTake);
  const BatchDecision decision = ChooseBatch(given.waiting, given.limits, given.now_ns, verdicts);
  EXPECT_EQ(Text(verdicts), given.verdicts);
  EXPECT_EQ(decision.wait_until_ns, given.wait_until_ns);
  EXPECT_EQ(decision.take, std::ranges::count(given.verdicts, 'T'));
}

INSTANTIATE_TEST_SUITE_P(
    BatchPolicy, Table,
    testing::Values(
        Case{"nothing", {}, Limits(4), 0, "", 0}, Case{"lone", {Of(1)}, Limits(4), 0, "T", 0},
        Case{"greedy", {Of(1), Of(1), Of(1)}, Limits(4), 0, "TTT", 0},
        Case{"full", {Of(1), Of(1), Of(1)}, Limits(2), 0, "TT.", 0},
        Case{"no_batching", {Of(1), Of(1)}, Limits(1), 0, "T.", 0},
        Case{"share_of_two_lanes", {Of(1), Of(1), Of(1), Of(1), Of(1)}, Limits(8, 0, 2), 0, "TTT..", 0},
        Case{"share_of_three_lanes", {Of(1), Of(1), Of(1), Of(1)}, Limits(8, 0, 3), 0, "TT..", 0},
        Case{"share_is_at_most_the_limit", {Of(1), Of(1), Of(1), Of(1), Of(1), Of(1)}, Limits(2, 0, 2), 0, "TT....", 0},
        Case{"share_counts_other_shapes", {Of(1), Of(2), Of(1), Of(2)}, Limits(8, 0, 2), 0, "T.T.", 0},
        Case{"oldest_defines_the_shape", {Of(2), Of(1), Of(2), Of(1)}, Limits(4), 0, "T.T.", 0},
        Case{"in_order_stops_at_another_shape", {Of(2), Of(2), Of(1), Of(2)}, Limits(4, 0, 1, true), 0, "TT..", 0},
        Case{"rows_count", {Of(1, 2), Of(1, 3), Of(1, 1)}, Limits(4), 0, "T..", 0},
        Case{"rows_fit_exactly", {Of(1, 2), Of(1, 2), Of(1, 1)}, Limits(4), 0, "TT.", 0},
        Case{"oversized_alone", {Of(1, 9), Of(1)}, Limits(4), 0, "T.", 0},
        Case{"oversized_second_waits", {Of(1), Of(1, 9), Of(1)}, Limits(4), 0, "T..", 0},
        Case{"cancelled", {Of(1, 1, 0, 0, true), Of(1)}, Limits(4), 0, "CT", 0},
        Case{"all_cancelled", {Of(1, 1, 0, 0, true)}, Limits(4), 0, "C", 0},
        Case{"expired_at_the_deadline", {Of(1, 1, 0, 50), Of(1, 1, 0, 51)}, Limits(4), 50, "XT", 0},
        Case{"dead_ones_have_no_share", {Of(1, 1, 0, 5), Of(1, 1, 0, 5), Of(1), Of(1)}, Limits(8, 0, 2), 9, "XXT.", 0},
        Case{"dead_ones_define_nothing", {Of(2, 1, 0, 5), Of(1), Of(2)}, Limits(4), 9, "XT.", 0},
        Case{"delay_waits", {Of(1, 1, 10)}, Limits(4, 100), 20, ".", 110},
        Case{"delay_over", {Of(1, 1, 10), Of(1, 1, 90)}, Limits(4, 100), 110, "TT", 0},
        Case{"delay_full", {Of(1, 1, 10), Of(1, 1, 11)}, Limits(2, 100), 12, "TT", 0},
        Case{"delay_full_by_rows", {Of(1, 2, 10), Of(1, 2, 11)}, Limits(4, 100), 12, "TT", 0},
        Case{"delay_other_shapes_do_not_fill", {Of(1, 1, 10), Of(2, 1, 11)}, Limits(2, 100), 12, "..", 110},
        Case{"delay_is_not_shared", {Of(1, 1, 0), Of(1, 1, 0)}, Limits(4, 100, 2), 100, "TT", 0},
        Case{"delay_wakes_for_a_deadline", {Of(1, 1, 10, 60)}, Limits(4, 100), 20, ".", 60},
        Case{"settles_for_its_share", {Of(1)}, Settles(8, 3), 20, ".", 50},
        Case{"settles_not_alone", {Of(1)}, Settles(8, 0), 20, "T", 0},
        Case{"settled_with_its_share", {Of(1), Of(1)}, Settles(8, 2), 20, "TT", 0},
        Case{"settled_takes_what_is_more", {Of(1), Of(1), Of(1)}, Settles(8, 1), 20, "TTT", 0},
        Case{"settled_with_all_idle", {Of(1), Of(1)}, Settles(8, 2, 2), 20, "TT", 0},
        Case{"settles_by_rows", {Of(1, 3)}, Settles(8, 3), 20, "T", 0},
        Case{"settles_up_to_the_limit", {Of(1), Of(1)}, Settles(2, 9), 20, "TT", 0},
        Case{"settles_no_longer", {Of(1)}, Settles(8, 3), 50, "T", 0},
        Case{"settles_until_a_deadline", {Of(1, 1, 0, 30)}, Settles(8, 3), 20, ".", 30},
        Case{"other_shapes_do_not_settle", {Of(1), Of(2)}, Settles(8, 2), 20, "..", 50},
        Case{"delay_does_not_settle",
             {Of(1, 1, 10)},
             [] {
               BatchLimits limits = Settles(8, 9);
               limits.max_delay_ns = 5;
               return limits;
             }(),
             20,
             "T",
             0},
        Case{"delay_drops_meanwhile", {Of(1, 1, 10, 15), Of(1, 1, 12)}, Limits(4, 100), 20, "X.", 112}),
    [](const auto& each) { return std::string(each.param.name); });

// Greedy over any queue: no batch over the limit but a lone oversized task, one shape per batch, the oldest first,
// and everything is taken after finitely many batches.
TEST(BatchPolicy, RandomQueuesDrainCompletely) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<BatchCandidate> waiting(1 + random() % 30);
    for (BatchCandidate& each : waiting) {
      each = Of(random() % 3, 1 + static_cast<std::uint32_t>(random() % 4), 0, random() % 5 == 0 ? 1 : 0,
                random() % 7 == 0);
    }
    const BatchLimits limits = Limits(1 + static_cast<std::uint32_t>(random() % 8), 0,
                                      1 + static_cast<std::uint32_t>(random() % 3), random() % 2 == 0);
    while (!waiting.empty()) {
      std::vector<Verdict> verdicts(waiting.size());
      const BatchDecision decision = ChooseBatch(waiting, limits, 2, verdicts);
      std::vector<BatchCandidate> rest;
      std::vector<BatchCandidate> taken;
      bool live_before = false;
      for (std::size_t i = 0; i < waiting.size(); ++i) {
        const bool dead = waiting[i].cancelled || waiting[i].deadline_ns != 0;
        EXPECT_EQ(dead, verdicts[i] == Verdict::kCancelled || verdicts[i] == Verdict::kExpired);
        if (!dead && !live_before) {
          EXPECT_EQ(verdicts[i], Verdict::kTake);
          live_before = true;
        }
        if (verdicts[i] == Verdict::kTake) taken.push_back(waiting[i]);
        if (verdicts[i] == Verdict::kLeave) rest.push_back(waiting[i]);
      }
      std::uint32_t rows = 0;
      for (const BatchCandidate& each : taken) {
        rows += each.rows;
        EXPECT_EQ(each.shape_key, taken[0].shape_key);
      }
      EXPECT_TRUE(rows <= limits.max_rows || taken.size() == 1);
      EXPECT_EQ(decision.take, taken.size());
      ASSERT_LT(rest.size(), waiting.size());
      waiting = std::move(rest);
    }
  }
}

}  // namespace
}  // namespace sconce
