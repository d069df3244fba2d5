#include "core/lone_judge.h"

#include <algorithm>

namespace sconce {

namespace {

constexpr double kClearly = 0.95;  // of the other's time: what is about equal stays as it is

}  // namespace

void LoneJudge::OnRun(bool wide, std::int64_t run_ns) {
  Way& way = wide ? wide_ : narrow_;
  way.run_ns[way.count++ % kRuns] = run_ns;
  if (wide != this->wide() || ++since_ < until_) return;
  if (trying_) Decide();
  trying_ = !trying_;
  since_ = 0;
  until_ = trying_ ? kRuns : kBetween;
}

void LoneJudge::Decide() {
  const Way& used = wide_is_better_ ? wide_ : narrow_;
  const Way& tried = wide_is_better_ ? narrow_ : wide_;
  const bool faster = static_cast<double>(tried.Median()) < kClearly * static_cast<double>(used.Median());
  if (faster) wide_is_better_ = !wide_is_better_;
}

std::int64_t LoneJudge::Way::Median() const {
  std::array<std::int64_t, kRuns> sorted = run_ns;
  const auto middle = sorted.begin() + kRuns / 2;
  std::ranges::nth_element(sorted, middle);
  return *middle;
}

}  // namespace sconce
