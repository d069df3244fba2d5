// Which lane of a model takes what waits: pure functions of a snapshot. No clock, lock or I/O inside.
//
// A model may have one wide lane (all cores for one batch) and narrow lanes (one core each). A lone request that finds
// every lane idle goes to the wide one, where that is the faster way; otherwise narrow lanes run, each its own batch.
// While the wide lane is busy at most cores - 1 narrow ones run, so that cores are not asked for twice over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sconce {

struct LaneState {
  bool wide = false;
  bool busy = false;       // runs a batch
  bool signalled = false;  // idle, and told to look at the queue
  bool gone = false;       // takes no batch any more; it may still run its last one
};

struct LanePlan {
  bool wide = false;         // the wide lane may start now (then no narrow one does)
  std::uint32_t narrow = 0;  // how many idle narrow lanes may start now
  bool lone = false;         // one request waits, every lane is idle, and either kind could run it
};

inline constexpr int kNoLane = -1;

struct LaneDemand {
  std::size_t waiting = 0;
  bool more_to_come = false;  // so that one that waits is not alone
  bool lone_wide = false;     // a lone request is for the wide lane
};

LanePlan PlanLanes(std::span<const LaneState> lanes, const LaneDemand& demand, int cores);

// Whether this idle lane may take a batch under the plan.
bool MayStart(const LanePlan& plan, const LaneState& lane);

// Executors that share what waits: the idle lanes, or the instances that have some where several lanes make one.
std::uint32_t IdleExecutors(const LanePlan& plan, int lanes_per_instance = 1);

// The lane to wake so that enough of them look at the queue; kNoLane when enough were told already.
int LaneToSignal(std::span<const LaneState> lanes, const LaneDemand& demand, int cores);

}  // namespace sconce
