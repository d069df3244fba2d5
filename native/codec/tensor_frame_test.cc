// Frames of tensors, well-formed and broken in every field.
#include "codec/tensor_frame.h"

#include <gtest/gtest.h>

#include <limits>

#include "codec/codec_test_util.h"

namespace sconce::codec {
namespace {

struct Part {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> sizes;
  std::string data;
};

template <typename T>
std::string Packed(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
void Patch(std::string& frame, std::size_t at, T value) {
  std::memcpy(frame.data() + at, &value, sizeof value);
}

std::string Frame(const std::vector<Part>& parts, std::uint32_t rows = 1) {
  std::string head = "SCTF";
  Put<std::uint32_t>(head, 1);
  Put<std::uint32_t>(head, rows);
  Put<std::uint32_t>(head, static_cast<std::uint32_t>(parts.size() / rows));
  Put<std::uint64_t>(head, 0);
  for (const Part& part : parts) {
    Put<std::uint32_t>(head, static_cast<std::uint32_t>(part.dtype));
    Put<std::uint32_t>(head, static_cast<std::uint32_t>(part.sizes.size()));
    Put<std::uint32_t>(head, static_cast<std::uint32_t>(part.name.size()));
    Put<std::uint32_t>(head, 0);
    Put<std::uint64_t>(head, part.data.size());
    for (const std::int64_t size : part.sizes) Put(head, size);
    head += part.name;
    head.resize((head.size() + 7) / 8 * 8, '\0');
  }
  Patch<std::uint64_t>(head, 16, head.size());
  for (const Part& part : parts) {
    head.resize((head.size() + 63) / 64 * 64, '\0');
    head += part.data;
  }
  return head;
}

Status DecodeFrame(const std::string& frame, const Signature& signature, Task& task, const Limits& limits = {}) {
  return Decode(InputFormat::kTensors, Bytes(frame), signature, limits, task);
}

void ExpectBad(const std::string& frame, const Signature& signature, const std::string& part,
               const Limits& limits = {}) {
  Task task;
  const Status s = DecodeFrame(frame, signature, task, limits);
  EXPECT_EQ(s.code(), Code::kBadRequest);
  EXPECT_NE(s.message().find(part), std::string::npos) << s.message();
  EXPECT_TRUE(task.rows.empty());
  EXPECT_TRUE(task.names.empty());
}

const Part kIds{"ids", DType::kInt64, {3}, Packed<std::int64_t>({101, 7, 102})};
const Part kMask{"mask", DType::kBool, {3}, std::string("\1\1\0", 3)};

Signature IdsAndMask() { return Declare({{"ids", DType::kInt64, {-1}, false}, {"mask", DType::kBool, {-1}, true}}); }

TEST(TensorFrame, GoesToDeclaredInputsByName) {
  Task task;
  ASSERT_TRUE(DecodeFrame(Frame({kMask, kIds}), IdsAndMask(), task).ok());
  ASSERT_EQ(task.rows.size(), 1U);
  EXPECT_FALSE(task.instances);
  EXPECT_TRUE(task.names.empty());
  const auto& inputs = task.rows[0].inputs;
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(Values<std::int64_t>(inputs[0]), (std::vector<std::int64_t>{101, 7, 102}));
  EXPECT_EQ(Values<char>(inputs[1]), (std::vector<char>{1, 1, 0}));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(inputs[0].data) % alignof(std::int64_t), 0U);
}

TEST(TensorFrame, GoesToDeclaredInputsInOrder) {
  Task task;
  Part ids = kIds;
  ids.name.clear();
  ASSERT_TRUE(DecodeFrame(Frame({ids}), IdsAndMask(), task).ok());
  EXPECT_EQ(task.rows[0].inputs[0].shape, Shape({3}));
  EXPECT_FALSE(task.rows[0].inputs[1].present);
}

TEST(TensorFrame, UndeclaredInputsComeAsTheyAre) {
  Task task;
  ASSERT_TRUE(DecodeFrame(Frame({kMask, kIds}), {}, task).ok());
  EXPECT_EQ(task.names, (std::vector<std::string>{"mask", "ids"}));
  EXPECT_EQ(task.rows[0].inputs[1].dtype, DType::kInt64);
  Part scalar{"", DType::kBFloat16, {}, "ab"};
  ASSERT_TRUE(DecodeFrame(Frame({scalar}), {}, task).ok());
  EXPECT_TRUE(task.names.empty());
  EXPECT_EQ(task.rows[0].inputs[0].shape, Shape());
}

TEST(TensorFrame, SeveralRowsMayDifferInShape) {
  Task task;
  const Part longer{"ids", DType::kInt64, {4}, Packed<std::int64_t>({1, 2, 3, 4})};
  for (const Signature& signature : {IdsAndMask(), Signature{}}) {
    ASSERT_TRUE(DecodeFrame(Frame({kIds, longer}, 2), signature, task).ok());
    ASSERT_EQ(task.rows.size(), 2U);
    EXPECT_TRUE(task.instances);
    EXPECT_EQ(Values<std::int64_t>(task.rows[1].inputs[0]), (std::vector<std::int64_t>{1, 2, 3, 4}));
    EXPECT_EQ(task.names.size(), signature.declared ? 0U : 1U);
  }
}

TEST(TensorFrame, EmptyTensorsOnlyWhereDeclared) {
  const Part none{"ids", DType::kInt64, {0}, ""};
  Task task;
  EXPECT_TRUE(DecodeFrame(Frame({none}), IdsAndMask(), task).ok());
  ExpectBad(Frame({none}), {}, "an empty tensor, shape [0]");
}

TEST(TensorFrame, SaysWhatDoesNotFitTheModel) {
  Part wrong = kIds;
  wrong.dtype = DType::kFloat64;
  ExpectBad(Frame({wrong}), IdsAndMask(), "input \"ids\": expected int64 [-1], got float64 [3]");
  ExpectBad(Frame({kIds}), One(DType::kInt64, {4}), "there is no input \"ids\"");
  ExpectBad(Frame({kMask}), IdsAndMask(), "input \"ids\" is missing");
  ExpectBad(Frame({kIds, kIds}), IdsAndMask(), "two tensors for input \"ids\"");
  ExpectBad(Frame({kIds, kIds}), {}, "two tensors are called \"ids\"");
  Part unnamed = kMask;
  unnamed.name.clear();
  ExpectBad(Frame({kIds, unnamed}), {}, "tensor 1 is called \"\"");
  ExpectBad(Frame({unnamed, kIds}), {}, "tensor 1 is called \"ids\"");
  ExpectBad(Frame({kIds, kMask}, 2), {}, "sample 1: the tensors of one request");
  ExpectBad(Frame({unnamed, unnamed, unnamed}), Declare({{"m", DType::kBool, {3}, false}}),
            "3 tensors for the model's 1");
  Part control = kIds;
  control.name = "a\nb";
  ExpectBad(Frame({control}), {}, "control characters");
  Part bools = kMask;
  bools.data[1] = 2;
  ExpectBad(Frame({kIds, bools}), IdsAndMask(), "byte 1 of a bool");
}

TEST(TensorFrame, EveryFieldIsChecked) {
  const std::string good = Frame({kIds});
  const auto broken = [&](std::size_t at, auto value) {
    std::string frame = good;
    Patch(frame, at, value);
    return frame;
  };
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  ExpectBad(broken(0, 'X'), {}, "does not begin with SCTF");
  ExpectBad(broken(4, std::uint32_t{2}), {}, "version 2");
  ExpectBad(broken(8, std::uint32_t{0}), {}, "no tensors");
  ExpectBad(broken(12, std::uint32_t{0}), {}, "no tensors");
  ExpectBad(broken(8, std::uint32_t{2}), {}, "head is too short");
  ExpectBad(broken(12, std::uint32_t{2}), {}, "head is too short");
  ExpectBad(broken(16, std::uint64_t{23}), {}, "ends outside");
  ExpectBad(broken(16, ~std::uint64_t{0}), {}, "ends outside");
  ExpectBad(broken(16, std::uint64_t{48}), {}, "ends inside an entry");
  std::string longer = good;
  longer.insert(64, 64, '\0');
  Patch(longer, 16, std::uint64_t{72});
  ExpectBad(longer, {}, "its entries end at byte 64");
  ExpectBad(broken(24, std::uint32_t{10}), {}, "dtype 10 is none");
  ExpectBad(broken(28, std::uint32_t{4}), {}, "ends inside an entry");
  ExpectBad(broken(32, std::uint32_t{40}), {}, "ends inside an entry");
  ExpectBad(broken(40, std::uint64_t{23}), {}, "int64 [3] is 24 bytes of data, got 23");
  ExpectBad(broken(48, std::int64_t{-1}), {}, "shape [-1] is none");
  ExpectBad(broken(48, big), {}, "is none");
  ExpectBad(good + '\0', {}, "1 bytes follow the last tensor");
  for (std::size_t size = 0; size < good.size(); ++size) {
    ExpectBad(good.substr(0, size), {}, "malformed tensor frame");
  }
}

TEST(TensorFrame, LimitsAreNamed) {
  const std::string good = Frame({kIds});
  std::string many = good;
  Patch(many, 12, static_cast<std::uint32_t>(kMaxTensors + 1));
  ExpectBad(many, {}, "257 tensors; at most 256");
  std::string deep = good;
  Patch(deep, 28, static_cast<std::uint32_t>(kMaxDims + 1));
  ExpectBad(deep, {}, "17 dimensions; at most 16");
  std::string wordy = good;
  Patch(wordy, 32, static_cast<std::uint32_t>(kMaxNameBytes + 1));
  ExpectBad(wordy, {}, "a tensor's name of 257 bytes; at most 256");
  Limits limits;
  limits.max_instances = 1;
  ExpectBad(Frame({kIds, kIds}, 2), {}, "2 samples, more than 1; --max-instances", limits);
  Task task;
  limits.max_decoded_bytes = 23;
  EXPECT_EQ(DecodeFrame(good, {}, task, limits).code(), Code::kPayloadTooLarge);
  limits.max_decoded_bytes = 24;
  EXPECT_TRUE(DecodeFrame(good, {}, task, limits).ok());
}

}  // namespace
}  // namespace sconce::codec
