#include "torch/integral.h"

#include <cmath>
#include <numbers>

namespace sconce::torch_engine {
namespace {

struct Legendre {  // P_n and its derivative at one place
  double value = 0;
  double slope = 0;
};

Legendre Evaluate(std::int64_t n, double x) {
  double before = 1;
  double value = x;
  for (std::int64_t k = 2; k <= n; ++k) {
    const double next =
        (static_cast<double>(2 * k - 1) * x * value - static_cast<double>(k - 1) * before) / static_cast<double>(k);
    before = value;
    value = next;
  }
  return {value, static_cast<double>(n) * (x * value - before) / (x * x - 1)};
}

// The roots of P_n by Newton's method, from the asymptotic guess; mapped from [-1, 1] to [0, 1].
std::vector<PathPoint> GaussLegendre(std::int64_t n) {
  if (n == 1) return {{0.5, 1}};
  std::vector<PathPoint> points;
  for (std::int64_t i = 0; i < n; ++i) {
    double x = -std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (static_cast<double>(n) + 0.5));
    for (int round = 0; round < 100; ++round) {
      const Legendre at = Evaluate(n, x);
      const double change = at.value / at.slope;
      x -= change;
      if (std::abs(change) < 1e-15) break;
    }
    const double slope = Evaluate(n, x).slope;
    points.push_back({(1 + x) / 2, 1 / ((1 - x * x) * slope * slope)});
  }
  return points;
}

std::vector<PathPoint> Riemann(IntegralRule rule, std::int64_t n) {
  const double count = static_cast<double>(n);
  const bool trapezoid = rule == IntegralRule::kRiemannTrapezoid;
  double offset = 0;
  if (rule == IntegralRule::kRiemannRight) offset = 1;
  if (rule == IntegralRule::kRiemannMiddle) offset = 0.5;
  std::vector<PathPoint> points;
  for (std::int64_t i = 0; i < n; ++i) {
    const double at = trapezoid ? static_cast<double>(i) / (count - 1) : (static_cast<double>(i) + offset) / count;
    const bool half = trapezoid && (i == 0 || i == n - 1);
    points.push_back({at, (half ? 0.5 : 1) / count});
  }
  return points;
}

}  // namespace

std::vector<PathPoint> PathPoints(IntegralRule rule, std::int64_t steps) {
  return rule == IntegralRule::kGaussLegendre ? GaussLegendre(steps) : Riemann(rule, steps);
}

}  // namespace sconce::torch_engine
