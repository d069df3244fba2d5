// Raw octets, copied and adopted; JSON and .npy have tests of their own.
#include <gtest/gtest.h>

#include "codec/codec_test_util.h"

namespace sconce::codec {
namespace {

// The outcome of both ways raw octets come in, which have to agree.
Status BothWays(const std::string& body, const Signature& signature, const Limits& limits = {}) {
  Task copied;
  const Status s = Decode(InputFormat::kRaw, Bytes(body), signature, limits, copied);
  Task adopted;
  adopted.storage.Append(body.data(), body.size());
  const Status t = AdoptRaw(signature, limits, adopted);
  EXPECT_EQ(s.code(), t.code());
  EXPECT_EQ(s.message(), t.message());
  EXPECT_EQ(copied.rows.size(), adopted.rows.size());
  for (const Task* task : {&copied, &adopted}) {
    if (task->rows.empty()) continue;
    const TensorView& view = task->rows[0].inputs.at(0);
    EXPECT_EQ(view.data, task->storage.data());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(view.data), view.bytes), body);
    EXPECT_EQ(view.shape, signature.inputs[0].shape);
    EXPECT_FALSE(task->instances);
  }
  return s;
}

void ExpectBad(const std::string& body, const Signature& signature, const std::string& part) {
  const Status s = BothWays(body, signature);
  EXPECT_EQ(s.code(), Code::kBadRequest);
  EXPECT_NE(s.message().find(part), std::string::npos) << s.message();
}

TEST(Raw, TakesExactlyOneSample) {
  const Signature four = One(DType::kFloat32, {2, 2});
  EXPECT_TRUE(BothWays(std::string(16, 'a'), four).ok());
  ExpectBad(std::string(15, 'a'), four, "input \"x\" is float32 [2, 2]: expected 16 bytes, got 15");
  ExpectBad(std::string(17, 'a'), four, "expected 16 bytes, got 17");
  ExpectBad("", four, "got 0");
  EXPECT_TRUE(BothWays("", One(DType::kFloat32, {0})).ok());
}

TEST(Raw, NeedsOneDeclaredStaticInput) {
  ExpectBad("abcd", {}, "sconce: {inputs: [{name: ");
  ExpectBad("abcd", One(DType::kFloat32, {-1}), "-1 dimension");
  ExpectBad("abcd", Declare({{"a", DType::kInt8, {4}, false}, {"b", DType::kInt8, {4}, false}}), "by name");
  ExpectBad("abcd", One(DType::kInt64, {std::int64_t{1} << 62, 8}), "representable");
}

TEST(Raw, BoolsAreZeroOrOne) {
  EXPECT_TRUE(BothWays(std::string("\0\1\1", 3), One(DType::kBool, {3})).ok());
  ExpectBad(std::string("\0\1\2", 3), One(DType::kBool, {3}), "byte 2 of a bool");
}

TEST(Raw, DecodedBytesAreLimited) {
  Limits limits;
  const Signature eight = One(DType::kUint8, {8});
  for (const std::size_t limit : {7U, 8U, 9U}) {
    limits.max_decoded_bytes = limit;
    EXPECT_EQ(BothWays("12345678", eight, limits).code(), limit < 8 ? Code::kPayloadTooLarge : Code::kOk);
  }
}

}  // namespace
}  // namespace sconce::codec
