#include "codec/v2_decode.h"

#include <gtest/gtest.h>

#include "codec/codec_test_util.h"

namespace sconce::codec {
namespace {

const Signature& Pair() {
  static const Signature kPair = Declare({{"ids", DType::kInt64, {-1}, false}, {"weight", DType::kFloat32, {2}, true}});
  return kPair;
}

Status DecodeV2Text(std::string_view text, const Signature& signature, Task& task, const Limits& limits = {}) {
  return Decode(InputFormat::kV2, Bytes(text), signature, limits, task);
}

std::string MessageFor(std::string_view text, const Signature& signature = Pair()) {
  Task task;
  const Status status = DecodeV2Text(text, signature, task);
  EXPECT_EQ(status.code(), Code::kBadRequest) << text;
  EXPECT_TRUE(task.rows.empty());
  return status.message();
}

std::string One(std::string_view input) { return "{\"inputs\":[" + std::string(input) + "]}"; }

TEST(DecodeV2, FlatDataWithABatch) {
  Task task;
  const std::string body = One(R"({"name":"ids","shape":[2,3],"datatype":"INT64","data":[1,2,3,4,5,6]})");
  ASSERT_TRUE(DecodeV2Text(body, Pair(), task).ok());
  ASSERT_EQ(task.rows.size(), 2u);
  EXPECT_TRUE(task.instances);
  EXPECT_EQ(Values<std::int64_t>(task.rows[1].inputs[0]), (std::vector<std::int64_t>{4, 5, 6}));
  EXPECT_EQ(task.rows[1].inputs[0].shape, (Shape{3}));
  EXPECT_FALSE(task.rows[0].inputs[1].present);
}

TEST(DecodeV2, NestedDataInAnyOrderOfKeys) {
  Task task;
  const std::string body =
      R"({"outputs":[{"name":"y","parameters":{"binary_data":true}},{"name":"z"}],"id":"q7","inputs":[)"
      R"({"data":[[1.5,2]],"shape":[1,2],"parameters":{"x":[1,{"y":2}]},"datatype":"FP32","name":"weight"},)"
      R"({"name":"ids","datatype":"INT64","data":[[9]],"shape":[1,1]}],"parameters":{"binary_data_output":true},"more":{}})";
  ASSERT_TRUE(DecodeV2Text(body, Pair(), task).ok());
  EXPECT_EQ(Values<float>(task.rows[0].inputs[1]), (std::vector<float>{1.5F, 2}));
  EXPECT_EQ(Values<std::int64_t>(task.rows[0].inputs[0]), (std::vector<std::int64_t>{9}));
  EXPECT_EQ(task.v2->id, "q7");
  EXPECT_TRUE(task.v2->binary);
  ASSERT_EQ(task.v2->outputs.size(), 2u);
  EXPECT_EQ(task.v2->outputs[0].binary, true);
  EXPECT_FALSE(task.v2->outputs[1].binary.has_value());
}

TEST(DecodeV2, OneSampleWithoutABatch) {
  Task task;
  ASSERT_TRUE(DecodeV2Text(One(R"({"name":"ids","shape":[2],"datatype":"INT64","data":[7,8]})"), Pair(), task).ok());
  EXPECT_FALSE(task.instances);
  EXPECT_EQ(task.rows.size(), 1u);
  ASSERT_TRUE(DecodeV2Text(One(R"({"name":"x","shape":[],"datatype":"FP64","data":[2]})"),
                           codec::One(DType::kFloat64, {}), task)
                  .ok());
  EXPECT_EQ(Values<double>(task.rows[0].inputs[0]), (std::vector<double>{2}));
}

TEST(DecodeV2, WithoutADeclarationDimensionZeroIsTheBatch) {
  Task task;
  ASSERT_TRUE(DecodeV2Text(One(R"({"name":"any","shape":[2,1],"datatype":"FP32","data":[1,2]})"), {}, task).ok());
  EXPECT_EQ(task.rows.size(), 2u);
  EXPECT_TRUE(task.names.empty());
  const std::string two = One(R"({"name":"a","shape":[1,1],"datatype":"INT32","data":[1]},)"
                              R"({"name":"b","shape":[1],"datatype":"BOOL","data":[true]})");
  ASSERT_TRUE(DecodeV2Text(two, {}, task).ok());
  EXPECT_EQ(task.names, (std::vector<std::string>{"a", "b"}));
}

TEST(DecodeV2, BytesBehindTheJson) {
  const std::string json =
      One(R"({"name":"ids","shape":[1,2],"datatype":"INT64","parameters":{"binary_data_size":16}},)"
          R"({"name":"weight","shape":[1,2],"datatype":"FP32","data":[1,2]})");
  std::string body = json + std::string(16, '\0');
  body[json.size()] = 5;
  Task task;
  ASSERT_TRUE(DecodeV2(Bytes(body), json.size(), Pair(), {}, task).ok());
  EXPECT_EQ(Values<std::int64_t>(task.rows[0].inputs[0]), (std::vector<std::int64_t>{5, 0}));

  EXPECT_EQ(DecodeV2(Bytes(body).first(body.size() - 1), json.size(), Pair(), {}, task).code(), Code::kBadRequest);
  EXPECT_EQ(DecodeV2(Bytes(body + "x"), json.size(), Pair(), {}, task).code(), Code::kBadRequest);
  EXPECT_EQ(DecodeV2(Bytes(body), json.size() - 1, Pair(), {}, task).code(), Code::kBadRequest);
  EXPECT_EQ(DecodeV2(Bytes(body), body.size() + 1, Pair(), {}, task).code(), Code::kBadRequest);
  EXPECT_EQ(DecodeV2(Bytes(body), std::size_t{1} << 40U, Pair(), {}, task).code(), Code::kBadRequest);
}

TEST(DecodeV2, HalfPrecisionAndBoolsAsBytes) {
  const auto body = [](std::string_view type, std::string_view blob) {
    const std::string json = One(R"({"name":"x","shape":[2],"datatype":")" + std::string(type) +
                                 R"(","parameters":{"binary_data_size":)" + std::to_string(blob.size()) + "}}");
    return std::pair(json + std::string(blob), json.size());
  };
  Task task;
  auto [half, half_json] = body("FP16", std::string_view("\0\x3c\0\x40", 4));
  ASSERT_TRUE(DecodeV2(Bytes(half), half_json, codec::One(DType::kFloat16, {2}), {}, task).ok());
  auto [bools, bools_json] = body("BOOL", std::string_view("\1\2", 2));
  EXPECT_EQ(DecodeV2(Bytes(bools), bools_json, codec::One(DType::kBool, {2}), {}, task).code(), Code::kBadRequest);
  EXPECT_NE(
      MessageFor(One(R"({"name":"x","shape":[2],"datatype":"FP16","data":[1,2]})"), codec::One(DType::kFloat16, {2}))
          .find("FP16 has no form in JSON"),
      std::string::npos);
}

TEST(DecodeV2, SaysWhatItExpected) {
  EXPECT_EQ(MessageFor(One(R"({"name":"ids","shape":[1,1],"datatype":"FP32","data":[1]})")),
            "input \"ids\": expected datatype INT64, got \"FP32\"");
  EXPECT_EQ(MessageFor(One(R"({"name":"ids","shape":[1],"datatype":"BYTES","data":["a"]})")),
            "input \"ids\": expected datatype INT64, got \"BYTES\"");
  EXPECT_EQ(MessageFor(One(R"({"name":"weight","shape":[1,3],"datatype":"FP32","data":[1,2,3]})")),
            "input \"weight\": expected shape [2], or one dimension more in front for a batch; got [1, 3]");
  EXPECT_EQ(MessageFor(One(R"({"name":"nope","shape":[1],"datatype":"FP32","data":[1]})")),
            "there is no input \"nope\"; expected \"ids\" (INT64 [-1]), optional \"weight\" (FP32 [2])");
  EXPECT_EQ(MessageFor(One(R"({"name":"weight","shape":[2],"datatype":"FP32","data":[1,2]})")),
            "input \"ids\" is missing; expected \"ids\" (INT64 [-1]), optional \"weight\" (FP32 [2])");
  EXPECT_EQ(MessageFor(One(R"({"name":"ids","shape":[2,1],"datatype":"INT64","data":[1,2]},)"
                           R"({"name":"weight","shape":[2],"datatype":"FP32","data":[1,2]})")),
            "input \"weight\" has no batch dimension, the inputs before it a batch of 2");
}

TEST(DecodeV2, RefusesBrokenRequests) {
  for (
      const char* body : {
          "",
          "[]",
          "{",
          "{}",
          R"({"inputs":[]})",
          R"({"inputs":{}})",
          R"({"inputs":[1]})",
          R"({"inputs":[{}]})",
          R"({"inputs":[{"name":"ids"}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64"}]})",
          R"({"inputs":[{"name":"ids","shape":[-1],"datatype":"INT64","data":[1]}]})",
          R"({"inputs":[{"name":"ids","shape":[1.5],"datatype":"INT64","data":[1]}]})",
          R"({"inputs":[{"name":"ids","shape":[9999999999999999999],"datatype":"INT64","data":[1]}]})",
          R"({"inputs":[{"name":"ids","shape":[4294967296,4294967296],"datatype":"INT64","data":[1]}]})",
          R"({"inputs":[{"name":"ids","shape":[1,1000000000],"datatype":"INT64","data":[1]}]})",
          R"({"inputs":[{"name":"ids","shape":[0,1],"datatype":"INT64","data":[]}]})",
          R"({"inputs":[{"name":"ids","shape":[3],"datatype":"INT64","data":[1,2]}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1,2]}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[9223372036854775808]}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1],"data":[1]}]})",
          R"({"inputs":[{"name":"ids","name":"ids","shape":[1],"datatype":"INT64","data":[1]}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1],"parameters":{"binary_data_size":8}}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","parameters":{"binary_data_size":-8}}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","parameters":{"binary_data_size":9}}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1]}],"inputs":[]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1]}],"id":7})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1]}],"outputs":[{}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1]}],"outputs":[{"name":"a"},{"name":"a"}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1]}],"outputs":[{"name":"a","parameters":{"classification":3}}]})",
          R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","data":[1]}]} x)",
      }) {
    EXPECT_FALSE(MessageFor(body).empty()) << body;
  }
}

TEST(DecodeV2, RefusesWhatIsSaidTwice) {
  const auto with = [](const char* input, const char* output, const char* request) {
    return MessageFor(R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","parameters":{)" + std::string(input) +
                      R"(},"data":[1]}],"outputs":[{"name":"a")" + output + R"(}],"parameters":{)" + request + "}}");
  };
  EXPECT_NE(with(R"("binary_data_size":8,"binary_data_size":8)", "", "").find("\"binary_data_size\" again"),
            std::string::npos);
  EXPECT_NE(with("", R"(,"name":"b")", "").find("\"name\" again"), std::string::npos);
  EXPECT_NE(with("", R"(,"parameters":{"binary_data":true,"binary_data":false})", "").find("\"binary_data\" again"),
            std::string::npos);
  EXPECT_NE(
      with("", "", R"("binary_data_output":true,"binary_data_output":false)").find("\"binary_data_output\" again"),
      std::string::npos);
}

TEST(DecodeV2, HoldsToTheGrammarOfWhatItPassesOver) {
  const auto with = [](const char* shape, const char* foo) {
    return MessageFor(R"({"foo":)" + std::string(foo) + R"(,"inputs":[{"name":"ids","shape":)" + shape +
                      R"(,"datatype":"INT64","data":[1]}]})");
  };
  EXPECT_EQ(with("[1]", "[truth]"), "malformed JSON: expected a value at byte 8");
  EXPECT_NE(with("[01]", "1").find("a leading zero"), std::string::npos);
}

TEST(DecodeV2, RefusesParametersThatWouldBeMissed) {
  const auto with = [](const char* input, const char* output) {
    return MessageFor(R"({"inputs":[{"name":"ids","shape":[1],"datatype":"INT64","parameters":{)" + std::string(input) +
                      R"(},"data":[1]}],"outputs":[{"name":"a","parameters":{)" + output + "}}]}");
  };
  const std::string_view memory = "Shared memory is not supported; send the tensors in the request.";
  EXPECT_EQ(with(R"("shared_memory_byte_size":8,"shared_memory_region":"r")", ""), memory);
  EXPECT_EQ(with("", R"("shared_memory_region":"r","shared_memory_byte_size":8)"), memory);
  EXPECT_EQ(with("", R"("classification":3)"), "the parameter \"classification\" is not supported");
}

TEST(DecodeV2, HoldsItsLimits) {
  Limits limits;
  limits.max_instances = 2;
  Task task;
  const auto ids = [](int count) {
    std::string data = "1";
    for (int i = 1; i < count; ++i) data += ",1";
    return One(R"({"name":"ids","shape":[)" + std::to_string(count) + R"(,1],"datatype":"INT64","data":[)" + data +
               "]}");
  };
  EXPECT_TRUE(DecodeV2Text(ids(2), Pair(), task, limits).ok());
  EXPECT_EQ(DecodeV2Text(ids(3), Pair(), task, limits).code(), Code::kBadRequest);
  limits.max_instances = 1024;
  limits.max_decoded_bytes = 64;
  EXPECT_TRUE(DecodeV2Text(ids(8), Pair(), task, limits).ok());
  EXPECT_EQ(DecodeV2Text(ids(9), Pair(), task, limits).code(), Code::kPayloadTooLarge);
}

}  // namespace
}  // namespace sconce::codec
