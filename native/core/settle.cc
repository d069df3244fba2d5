#include "core/settle.h"

#include <algorithm>

namespace sconce {

void Settling::OnArrival(std::uint32_t rows) { away_ -= std::min(away_, rows); }

void Settling::OnTake(std::size_t lane, std::uint32_t rows) {
  Lane& self = lanes_[lane];
  Judge(self, rows);
  self.rows = rows;
  self.until_ns = 0;
  running_ += rows;
}

void Settling::OnEnd(std::size_t lane, std::int64_t run_ns, std::int64_t now_ns) {
  Lane& self = lanes_[lane];
  running_ -= self.rows;
  const std::int64_t wait_ns = std::min(run_ns / kPartOfRun, kLongestNs);
  if (wait_ns >= kShortestNs) {
    away_ = Away(now_ns) + self.rows;
    away_until_ns_ = std::max(away_until_ns_, now_ns + wait_ns);
    self.until_ns = self.skip == 0 ? now_ns + wait_ns : 0;
    self.skip -= std::min(self.skip, 1u);
  }
  self.rows = 0;
}

std::int64_t Settling::Until(std::size_t lane, std::int64_t now_ns) const {
  return now_ns < lanes_[lane].until_ns ? lanes_[lane].until_ns : 0;
}

void Settling::Judge(Lane& lane, std::uint32_t rows) {
  if (lane.waited_for == 0) return;
  if (rows >= lane.waited_for) {
    lane.vain = 0;
  } else {
    lane.vain = std::min(lane.vain + 1, 31u);
    lane.skip = std::min(std::uint32_t{1} << lane.vain, kMostSkipped);
  }
  lane.waited_for = 0;
}

}  // namespace sconce
