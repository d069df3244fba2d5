// Where a path integral over [0, 1] is sampled and what each sample weighs: the rules that integrated gradients know.
// Thread: pure functions.
#pragma once

#include <vector>

#include "core/explain.h"

namespace sconce::torch_engine {

struct PathPoint {
  double at = 0;  // 0: the baseline, 1: the input
  double weight = 0;
};

// `steps` points in ascending order; at least 2 for the Riemann rules.
std::vector<PathPoint> PathPoints(IntegralRule rule, std::int64_t steps);

}  // namespace sconce::torch_engine
