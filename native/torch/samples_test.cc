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

// One int64 output of these numbers.
Answer Wholes(std::initializer_list<std::int64_t> values) {
  Answer answer;
  answer.bytes.Resize(values.size() * sizeof(std::int64_t));
  std::memcpy(answer.bytes.data(), values.begin(), answer.bytes.size());
  LeafInfo leaf;
  leaf.dtype = DType::kInt64;
  leaf.shape = {static_cast<std::int64_t>(values.size())};
  leaf.bytes = answer.bytes.size();
  answer.leaves.push_back(leaf);
  return answer;
}

TEST(SameAnswer, WholeNumbersAreEqualToTheLastBit) {
  std::string difference;
  EXPECT_TRUE(SameAnswer(Wholes({5, 1000000}), Wholes({5, 1000000}), 1e-5, &difference));
  EXPECT_FALSE(SameAnswer(Wholes({5, 1000001}), Wholes({5, 1000000}), 1e-5, &difference));
  EXPECT_EQ(difference, "output 0 has 1000001 instead of 1000000");
  constexpr std::int64_t kBeyondDoubles = (std::int64_t{1} << 53) + 1;
  EXPECT_FALSE(SameAnswer(Wholes({kBeyondDoubles}), Wholes({kBeyondDoubles - 1}), 1e-5, &difference));
  EXPECT_NE(difference.find(std::to_string(kBeyondDoubles)), std::string::npos) << difference;
}

TEST(SameAnswer, AnotherDtypeIsSaidByNameAndDtype) {
  std::vector<Answer> answers;
  for (int i = 0; i < 2; ++i) answers.push_back(Floats({1.0F}));
  answers[0].leaves[0].name = "score";
  NameAsTheFirst(answers);
  std::string difference;
  EXPECT_FALSE(SameAnswer(Wholes({1}), answers[1], 1e-6, &difference));
  EXPECT_EQ(difference, "output 'score' is int64 [1] instead of float32 [1]");
  EXPECT_FALSE(SameAnswer(Floats({1.0F, 2.0F}), answers[1], 1e-6, &difference));
  EXPECT_EQ(difference, "output 'score' is float32 [2] instead of float32 [1]");
}

TEST(RelativeDifference, IsOfTheLargestNumberAndSaysWhere) {
  std::string difference;
  EXPECT_EQ(RelativeDifference(Floats({1.0F, -0.0F}), Floats({1.0F, 0.0F}), &difference), 0);
  EXPECT_DOUBLE_EQ(RelativeDifference(Floats({1.5F, 100.0F}), Floats({1.0F, 100.0F}), &difference), 0.005);
  EXPECT_EQ(difference, "output 0 has 1.5 instead of 1");
}

TEST(RelativeDifference, IsInfiniteWhereNoToleranceWouldDo) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::string difference;
  EXPECT_EQ(RelativeDifference(Floats({NAN, kInf}), Floats({NAN, kInf}), &difference), 0);
  EXPECT_TRUE(std::isinf(RelativeDifference(Floats({kInf}), Floats({7.0F}), &difference)));
  EXPECT_EQ(difference, "output 0 has inf instead of 7");
  EXPECT_TRUE(std::isinf(RelativeDifference(Wholes({2, 4}), Wholes({2, 3}), &difference)));
  EXPECT_EQ(difference, "output 0 has 4 instead of 3");
  EXPECT_TRUE(std::isinf(RelativeDifference(Floats({0.5F}), Floats({0.0F}), &difference)));
  EXPECT_TRUE(std::isinf(RelativeDifference(Floats({1.0F}), Wholes({1}), &difference)));
  EXPECT_EQ(difference, "output 0 is float32 [1] instead of int64 [1]");
}

}  // namespace
}  // namespace sconce::torch_engine
