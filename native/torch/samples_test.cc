#include "torch/samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "torch/numbers.h"

namespace sconce::torch_engine {
namespace {

Answer Floats(std::initializer_list<float> values) {
  Answer answer;
  answer.bytes.Resize(values.size() * sizeof(float));
  std::memcpy(answer.bytes.data(), values.begin(), answer.bytes.size());
  LeafInfo leaf;
  leaf.shape = {static_cast<std::int64_t>(values.size())};
  leaf.bytes = answer.bytes.size();
  answer.leaves.push_back(leaf);
  return answer;
}

TEST(Samples, AreDistinctAndTheSameOnEveryStart) {
  Signature signature;
  signature.declared = true;
  signature.inputs = {{"x", DType::kFloat32, {-1, 3}, false}, {"flag", DType::kBool, {40}, false}};
  Result<std::vector<TaskPtr>> first = MakeSamples(signature, "", 3);
  Result<std::vector<TaskPtr>> second = MakeSamples(signature, "", 3);
  ASSERT_TRUE(first.ok() && second.ok());
  const TensorView& x = (*first)[0]->rows[0].inputs[0];
  EXPECT_EQ(x.shape, (Shape{kFreeDimLength, 3}));
  EXPECT_EQ(std::memcmp(x.data, (*second)[0]->rows[0].inputs[0].data, x.bytes), 0);
  EXPECT_NE(std::memcmp(x.data, (*first)[1]->rows[0].inputs[0].data, x.bytes), 0);
  const TensorView& flag = (*first)[0]->rows[0].inputs[1];
  int set = 0;
  for (std::size_t i = 0; i < flag.bytes; ++i) set += static_cast<int>(flag.data[i]);
  EXPECT_GT(set, 0);
  EXPECT_LT(set, 40);
}

TEST(Samples, AMissingFileIsNamed) {
  const Result<std::vector<TaskPtr>> made = MakeSamples(Signature{}, "/nonexistent/x.npy", 1);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.status().message().find("/nonexistent/x.npy"), std::string::npos);
}

TEST(SameAnswer, AllowsTheToleranceAndNoMore) {
  std::string difference;
  EXPECT_TRUE(SameAnswer(Floats({1.0F, 100.0F}), Floats({1.0001F, 100.0F}), 1e-6, &difference)) << difference;
  EXPECT_FALSE(SameAnswer(Floats({1.0F, 100.0F}), Floats({1.001F, 100.0F}), 1e-6, &difference));
  EXPECT_NE(difference.find("output 0"), std::string::npos);
  EXPECT_FALSE(SameAnswer(Floats({1.0F}), Floats({1.0F, 2.0F}), 1e-6, &difference));
}

TEST(SameAnswer, TreatsWhatIsNotFiniteExactly) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::string difference;
  EXPECT_TRUE(SameAnswer(Floats({NAN, kInf}), Floats({NAN, kInf}), 1e-6, &difference));
  EXPECT_FALSE(SameAnswer(Floats({NAN}), Floats({1.0F}), 1e-6, &difference));
  EXPECT_FALSE(SameAnswer(Floats({kInf}), Floats({-kInf}), 1e-6, &difference));
}

}  // namespace
}  // namespace sconce::torch_engine
