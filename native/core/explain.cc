#include "core/explain.h"

#include <cmath>

namespace sconce {

const char* WrongSetting(const ExplainSpec& spec) {
  const bool riemann = spec.rule != IntegralRule::kGaussLegendre;
  if (spec.steps < (riemann ? 2 : 1) || spec.steps > kMaxExplainSteps) {
    return "steps must be 1 to 1000, and at least 2 for the Riemann rules";
  }
  if (spec.batch < 1 || spec.batch > kMaxExplainBatch) return "batch must be 1 to 64";
  if (!std::isfinite(spec.baseline)) return "baseline must be a finite number";
  for (const std::int64_t index : spec.target) {
    if (index < 0) return "target must be 0 or more";
  }
  for (const std::int64_t size : {spec.window[0], spec.window[1], spec.stride[0], spec.stride[1]}) {
    if (size < 0) return "window and stride must be 1 or more";
  }
  return "";
}

}  // namespace sconce
