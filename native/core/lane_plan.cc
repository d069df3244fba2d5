#include "core/lane_plan.h"

#include <algorithm>

namespace sconce {

namespace {

struct Tally {
  bool has_wide = false;
  bool wide_busy = false;
  std::uint32_t narrow_idle = 0;
  std::uint32_t narrow_busy = 0;
  std::uint32_t narrow_signalled = 0;
};

Tally Count(std::span<const LaneState> lanes) {
  Tally tally;
  for (const LaneState& lane : lanes) {
    if (lane.gone && !lane.busy) continue;
    if (lane.wide) {
      tally.has_wide = true;
      tally.wide_busy = lane.busy;
    } else if (lane.busy) {
      ++tally.narrow_busy;
    } else {
      ++tally.narrow_idle;
      if (lane.signalled) ++tally.narrow_signalled;
    }
  }
  return tally;
}

}  // namespace

LanePlan PlanLanes(std::span<const LaneState> lanes, const LaneDemand& demand, int cores) {
  const Tally tally = Count(lanes);
  if (demand.waiting == 0) return {};
  const bool has_narrow = tally.narrow_idle + tally.narrow_busy > 0;
  if (!has_narrow) return {.wide = tally.has_wide && !tally.wide_busy, .narrow = 0};
  const bool all_idle = !tally.wide_busy && tally.narrow_busy == 0;
  if (tally.has_wide && all_idle && demand.waiting == 1 && !demand.more_to_come) {
    return {.wide = demand.lone_wide, .narrow = demand.lone_wide ? 0u : 1u, .lone = true};
  }
  if (!tally.wide_busy) return {.wide = false, .narrow = tally.narrow_idle};
  const std::uint32_t limit = cores > 1 ? static_cast<std::uint32_t>(cores - 1) : 0;
  const std::uint32_t room = limit > tally.narrow_busy ? limit - tally.narrow_busy : 0;
  return {.wide = false, .narrow = std::min(room, tally.narrow_idle)};
}

bool MayStart(const LanePlan& plan, const LaneState& lane) {
  return !lane.busy && !lane.gone && (lane.wide ? plan.wide : plan.narrow > 0);
}

std::uint32_t IdleExecutors(const LanePlan& plan, int lanes_per_instance) {
  if (plan.wide) return 1;
  const auto per = static_cast<std::uint32_t>(std::max(lanes_per_instance, 1));
  return std::max<std::uint32_t>((plan.narrow + per - 1) / per, 1);
}

int LaneToSignal(std::span<const LaneState> lanes, const LaneDemand& demand, int cores) {
  const LanePlan plan = PlanLanes(lanes, demand, cores);
  if (!plan.wide && Count(lanes).narrow_signalled >= std::min<std::size_t>(demand.waiting, plan.narrow)) return kNoLane;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    if (!MayStart(plan, lanes[i])) continue;
    if (!lanes[i].signalled) return static_cast<int>(i);
  }
  return kNoLane;
}

}  // namespace sconce
