#include "codec/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sconce::codec {
namespace {

// Every bit pattern converts to float32 and back; the midpoints between neighbours go to the even one.
template <typename ToFloat, typename FromFloat>
void CheckAll(std::uint16_t infinity, ToFloat to_float, FromFloat from_float) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(to_float(from_float(value))));
      continue;
    }
    ASSERT_EQ(from_float(value), half);
    if ((half & 0x7FFFU) >= infinity - 1U) continue;
    const auto above = static_cast<std::uint16_t>(half + 1);
    const double middle = (static_cast<double>(value) + static_cast<double>(to_float(above))) / 2;
    ASSERT_EQ(from_float(RoundToOddFloat(middle)), (half & 1U) == 0 ? half : above);
    // A double just past the middle must not be pulled onto it on its way through float32.
    ASSERT_EQ(from_float(RoundToOddFloat(middle * (1 + 1e-12))), above);
    ASSERT_EQ(from_float(RoundToOddFloat(middle * (1 - 1e-12))), half);
  }
}

TEST(Half, Float16) { CheckAll(0x7C00, HalfToFloat, FloatToHalf); }
TEST(Half, BFloat16) { CheckAll(0x7F80, BFloat16ToFloat, FloatToBFloat16); }

TEST(Half, Limits) {
  EXPECT_EQ(FloatToHalf(65504.0F), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65519.996F), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65520.0F), 0x7C00);
  EXPECT_EQ(FloatToHalf(-INFINITY), 0xFC00);
  EXPECT_EQ(FloatToBFloat16(3.4e38F), 0x7F80);
  EXPECT_EQ(HalfToFloat(0x0001), 0x1p-24F);
}

}  // namespace
}  // namespace sconce::codec
