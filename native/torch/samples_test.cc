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

TEST(Samples, AScaledOneHasOtherFloatsAndTheSameWholeNumbers) {
  Signature signature;
  signature.declared = true;
  signature.inputs = {{"x", DType::kFloat32, {3}, false}, {"id", DType::kInt64, {3}, false}};
  Result<std::vector<TaskPtr>> plain = MakeSamples(signature, "", 1);
  Result<std::vector<TaskPtr>> large = MakeSamples(signature, "", 1);
  ASSERT_TRUE(plain.ok() && large.ok());
  ASSERT_TRUE(Scale(*(*large)[0], 1000));
  const std::vector<TensorView>& before = (*plain)[0]->rows[0].inputs;
  const std::vector<TensorView>& after = (*large)[0]->rows[0].inputs;
  float small = 0;
  float big = 0;
  std::memcpy(&small, before[0].data, sizeof small);
  std::memcpy(&big, after[0].data, sizeof big);
  EXPECT_FLOAT_EQ(big, 1000 * small);
  EXPECT_EQ(std::memcmp(before[1].data, after[1].data, before[1].bytes), 0);
  signature.inputs.erase(signature.inputs.begin());
  Result<std::vector<TaskPtr>> whole = MakeSamples(signature, "", 1);
  EXPECT_FALSE(Scale(*(*whole)[0], 1000));
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
