#include "core/lane_plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sconce {
namespace {

// One letter per lane: w/n idle wide/narrow, W/N busy, v/m idle and signalled, x gone, X gone and running its last
// batch.
std::vector<LaneState> Lanes(const std::string& text) {
  std::vector<LaneState> lanes;
  for (const char c : text) {
    lanes.push_back({.wide = c == 'w' || c == 'W' || c == 'v',
                     .busy = c == 'W' || c == 'N' || c == 'X',
                     .signalled = c == 'v' || c == 'm',
                     .gone = c == 'x' || c == 'X'});
  }
  return lanes;
}

LaneDemand Waiting(std::size_t count, bool lone_wide) {
  return {.waiting = count, .more_to_come = false, .lone_wide = lone_wide};
}

struct Case {
  const char* lanes;
  std::size_t waiting;
  int cores;
  bool wide;
  std::uint32_t narrow;
  int signal;
};

TEST(LanePlan, Table) {
  const std::vector<Case> cases = {
      // lanes  wait cores wide  narrow signal
      {"wnn", 0, 2, false, 0, kNoLane},
      {"wnn", 1, 2, true, 0, 0},        // a lone request with everything idle
      {"vnn", 1, 2, true, 0, kNoLane},  // told already
      {"wnn", 2, 2, false, 2, 1},       // two share the narrow lanes
      {"wmn", 2, 2, false, 2, 2},       // one was told, the second is needed too
      {"wmm", 9, 2, false, 2, kNoLane},
      {"vnn", 2, 2, false, 2, 1},        // the wide one was told of the first; now the
                                         // narrow ones run
      {"wNn", 1, 2, false, 1, 2},        // not everything is idle
      {"wNN", 5, 2, false, 0, kNoLane},  // every core has its lane; the wide one stays out
      {"Wnn", 1, 2, false, 1, 1},        // beside the wide one cores - 1 narrow ones
      {"WNn", 5, 2, false, 0, kNoLane},
      {"WNnnn", 5, 4, false, 2, 2},
      {"Wn", 5, 1, false, 0, kNoLane},
      {"w", 5, 4, true, 0, 0},  // only a wide lane: it takes everything
      {"W", 5, 4, false, 0, kNoLane},
      {"n", 1, 1, false, 1, 0},  // only a narrow one
      {"N", 1, 1, false, 0, kNoLane},
      {"nn", 1, 2, false, 2, 0},
      {"mn", 1, 2, false, 2, kNoLane},
      {"nwn", 1, 2, true, 0, 1},  // the order of lanes does not matter
      {"xn", 1, 2, false, 1, 1},  // what is gone is not told
      {"xx", 5, 2, false, 0, kNoLane},
      {"wxn", 1, 2, true, 0, 0},
      {"wXn", 1, 2, false, 1, 2},  // it keeps a core busy until its batch ends
      {"WXn", 5, 2, false, 0, kNoLane},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.lanes) + " waiting " + std::to_string(each.waiting));
    const std::vector<LaneState> lanes = Lanes(each.lanes);
    const LanePlan plan = PlanLanes(lanes, Waiting(each.waiting, true), each.cores);
    EXPECT_EQ(plan.wide, each.wide);
    EXPECT_EQ(plan.narrow, each.narrow);
    EXPECT_EQ(LaneToSignal(lanes, Waiting(each.waiting, true), each.cores), each.signal);
  }
}

TEST(LanePlan, ALoneRequestGoesWhereItIsRunFaster) {
  for (const bool lone_wide : {true, false}) {
    const LanePlan plan = PlanLanes(Lanes("wnn"), Waiting(1, lone_wide), 2);
    EXPECT_TRUE(plan.lone);
    EXPECT_EQ(plan.wide, lone_wide);
    EXPECT_EQ(plan.narrow, lone_wide ? 0u : 1u);
    EXPECT_EQ(LaneToSignal(Lanes("wnn"), Waiting(1, lone_wide), 2), lone_wide ? 0 : 1);
    EXPECT_EQ(LaneToSignal(Lanes("wmn"), Waiting(1, false), 2), kNoLane);
    for (const char* other : {"wNn", "Wnn", "w", "nn"})
      EXPECT_FALSE(PlanLanes(Lanes(other), Waiting(1, lone_wide), 2).lone);
    EXPECT_FALSE(PlanLanes(Lanes("wnn"), Waiting(2, lone_wide), 2).lone);
  }
}

TEST(LanePlan, OneThatOthersFollowIsNotAlone) {
  const LaneDemand demand = {.waiting = 1, .more_to_come = true, .lone_wide = true};
  const LanePlan plan = PlanLanes(Lanes("wnn"), demand, 2);
  EXPECT_FALSE(plan.lone);
  EXPECT_FALSE(plan.wide);
  EXPECT_EQ(plan.narrow, 2u);
  EXPECT_EQ(LaneToSignal(Lanes("wnn"), demand, 2), 1);
}

TEST(LanePlan, IdleExecutorsAreThoseThatMayStart) {
  EXPECT_EQ(IdleExecutors({.wide = true, .narrow = 0}), 1u);
  EXPECT_EQ(IdleExecutors({.wide = false, .narrow = 3}), 3u);
  EXPECT_EQ(IdleExecutors({}), 1u);
}

// In every state with work, either nobody may start or somebody who may is told or can be.
TEST(LanePlan, WorkIsNeverForgotten) {
  const std::string letters = "nNm";
  const std::string wide = "wWv";
  for (int state = 0; state < 3 * 27; ++state) {
    std::string text;
    text += wide[static_cast<std::size_t>(state % 3)];
    int rest = state / 3;
    for (int lane = 0; lane < 3; ++lane, rest /= 3) text += letters[static_cast<std::size_t>(rest % 3)];
    const std::vector<LaneState> lanes = Lanes(text);
    for (std::size_t each = 2; each < 10; ++each) {
      const std::size_t waiting = each / 2;
      const bool lone_wide = each % 2 == 0;
      SCOPED_TRACE(text + " waiting " + std::to_string(waiting) + (lone_wide ? " lone wide" : " lone narrow"));
      const LanePlan plan = PlanLanes(lanes, Waiting(waiting, lone_wide), 3);
      const int signal = LaneToSignal(lanes, Waiting(waiting, lone_wide), 3);
      bool may = false;
      bool told = false;
      for (const LaneState& lane : lanes) {
        may = may || MayStart(plan, lane);
        told = told || (MayStart(plan, lane) && lane.signalled);
      }
      EXPECT_TRUE(signal == kNoLane || MayStart(plan, lanes[static_cast<std::size_t>(signal)]));
      EXPECT_EQ(may, told || signal != kNoLane);
    }
  }
}

}  // namespace
}  // namespace sconce
