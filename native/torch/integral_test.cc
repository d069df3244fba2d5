#include "torch/integral.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sconce::torch_engine {
namespace {

double Integral(const std::vector<PathPoint>& points, int power) {
  double sum = 0;
  for (const PathPoint& point : points) sum += point.weight * std::pow(point.at, power);
  return sum;
}

// n points of Gauss and Legendre are exact for polynomials up to degree 2n - 1.
TEST(Integral, GaussLegendreIsExactForPolynomials) {
  for (const std::int64_t steps : {1, 2, 3, 15, 50}) {
    const std::vector<PathPoint> points = PathPoints(IntegralRule::kGaussLegendre, steps);
    ASSERT_EQ(points.size(), static_cast<std::size_t>(steps));
    for (int power = 0; power < 2 * steps; ++power) {
      EXPECT_NEAR(Integral(points, power), 1.0 / (power + 1), 1e-13) << steps << " steps, power " << power;
    }
    for (std::size_t i = 1; i < points.size(); ++i) EXPECT_LT(points[i - 1].at, points[i].at);
  }
}

TEST(Integral, TheLargestNumberOfStepsStillConverges) {
  const std::vector<PathPoint> points = PathPoints(IntegralRule::kGaussLegendre, kMaxExplainSteps);
  EXPECT_NEAR(Integral(points, 0), 1, 1e-12);
  EXPECT_NEAR(Integral(points, 7), 1.0 / 8, 1e-12);
}

void ExpectAt(IntegralRule rule, const std::vector<double>& at, const std::vector<double>& weight) {
  const std::vector<PathPoint> points = PathPoints(rule, static_cast<std::int64_t>(at.size()));
  ASSERT_EQ(points.size(), at.size());
  for (std::size_t i = 0; i < at.size(); ++i) {
    EXPECT_NEAR(points[i].at, at[i], 1e-15);
    EXPECT_NEAR(points[i].weight, weight[i], 1e-15);
  }
}

TEST(Integral, RiemannRulesStartAndEndWhereTheySay) {
  const double third = 1.0 / 3;
  ExpectAt(IntegralRule::kRiemannLeft, {0, third, 2 * third}, {third, third, third});
  ExpectAt(IntegralRule::kRiemannRight, {third, 2 * third, 1}, {third, third, third});
  ExpectAt(IntegralRule::kRiemannMiddle, {third / 2, 0.5, 1 - third / 2}, {third, third, third});
  ExpectAt(IntegralRule::kRiemannTrapezoid, {0, 0.5, 1}, {third / 2, third, third / 2});
}

}  // namespace
}  // namespace sconce::torch_engine
