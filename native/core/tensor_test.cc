#include "core/tensor.h"

#include <gtest/gtest.h>

#include <limits>

namespace sconce {
namespace {

TEST(DType, NamesAndSizesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(DType::kFloat64); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(ParseDType(DTypeName(dtype)), dtype);
    EXPECT_GE(ByteSize(dtype), 1u);
  }
  EXPECT_EQ(ByteSize(DType::kBFloat16), 2u);
  EXPECT_EQ(ByteSize(DType::kInt64), 8u);
}

TEST(DType, OtherWordsForThem) {
  EXPECT_EQ(ParseDType("FP32"), DType::kFloat32);
  EXPECT_EQ(ParseDType("fp16"), DType::kFloat16);
  EXPECT_EQ(ParseDType("half"), DType::kFloat16);
  EXPECT_EQ(ParseDType("float"), DType::kFloat32);
  EXPECT_EQ(ParseDType("long"), DType::kInt64);
  EXPECT_EQ(ParseDType("double"), DType::kFloat64);
  EXPECT_EQ(ParseDType("BF16"), DType::kBFloat16);
  EXPECT_EQ(ParseDType("UINT8"), DType::kUint8);
  EXPECT_EQ(ParseDType("BOOL"), DType::kBool);
  EXPECT_EQ(ParseDType("torch.int16"), DType::kInt16);
  EXPECT_EQ(ParseDType("complex64"), std::nullopt);
  EXPECT_EQ(ParseDType(""), std::nullopt);
  EXPECT_EQ(ParseDType(std::string(1000, 'f')), std::nullopt);
}

TEST(Shape, ComparesAndMatches) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2}));
  EXPECT_TRUE((Shape{2, 3}).Matches(Shape{-1, 3}));
  EXPECT_FALSE((Shape{2, 4}).Matches(Shape{-1, 3}));
  EXPECT_FALSE((Shape{2, 3, 1}).Matches(Shape{-1, 3}));
  EXPECT_TRUE(Shape{}.Matches(Shape{}));
  EXPECT_TRUE((Shape{1, 2}).IsStatic());
  EXPECT_FALSE((Shape{1, -1}).IsStatic());
  EXPECT_EQ((Shape{3, 224, 224}).ToString(), "[3, 224, 224]");
  EXPECT_EQ(Shape{}.ToString(), "[]");
}

TEST(Shape, IsFullAtItsLimit) {
  Shape shape;
  for (int i = 0; i < kMaxDims; ++i) EXPECT_TRUE(shape.push_back(1));
  EXPECT_FALSE(shape.push_back(1));
  EXPECT_EQ(shape.size(), kMaxDims);
}

TEST(Shape, CountsWithoutOverflow) {
  constexpr std::int64_t kBig = std::int64_t{1} << 40;
  EXPECT_EQ(ElementCount(Shape{}), 1);
  EXPECT_EQ(ElementCount(Shape{2, 3}), 6);
  EXPECT_EQ(ElementCount(Shape{2, -1}), std::nullopt);
  EXPECT_EQ(ElementCount(Shape{kBig, kBig}), std::nullopt);
  EXPECT_EQ(ElementCount(Shape{kBig, kBig, 0}), 0);
  EXPECT_EQ(ElementCount(Shape{0, kBig, kBig}), 0);
  EXPECT_EQ(TensorBytes(Shape{3}, DType::kFloat32), 12u);
  EXPECT_EQ(TensorBytes(Shape{std::numeric_limits<std::int64_t>::max()}, DType::kFloat16), std::nullopt);
}

}  // namespace
}  // namespace sconce
