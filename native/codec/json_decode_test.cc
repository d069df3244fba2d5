#include "codec/json_decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "codec/codec_test_util.h"

namespace sconce::codec {
namespace {

const Signature kFloat4 = One(DType::kFloat32, {4});
const Signature kUndeclared;
const Signature kTwo = Declare(
    {{"ids", DType::kInt64, {-1}, false}, {"mask", DType::kBool, {-1}, false}, {"bias", DType::kFloat32, {}, true}});

void ExpectBad(std::string_view text, const Signature& signature, std::string_view part, const Limits& limits = {}) {
  Task task;
  const Status s = DecodeText(text, signature, task, limits);
  EXPECT_EQ(s.code(), Code::kBadRequest) << text.substr(0, 80);
  EXPECT_NE(s.message().find(part), std::string::npos) << text.substr(0, 80) << "\n  said: " << s.message();
  EXPECT_TRUE(task.rows.empty());
  EXPECT_TRUE(task.names.empty());
}

TEST(JsonDecode, OneSampleBareOrByName) {
  for (const char* text : {"[1,2.5,-3,4e2]", " [ 1 , 2.5 ,\n\t-3 ,\r\n4e2 ] ", "{\"x\":[1, 2.5, -3, 4e2]}"}) {
    Task task;
    ASSERT_TRUE(DecodeText(text, kFloat4, task).ok()) << text;
    ASSERT_EQ(task.rows.size(), 1U);
    EXPECT_FALSE(task.instances);
    const TensorView& view = task.rows[0].inputs.at(0);
    EXPECT_EQ(view.shape, Shape({4}));
    EXPECT_EQ(view.dtype, DType::kFloat32);
    EXPECT_EQ(Values<float>(view), (std::vector<float>{1, 2.5, -3, 400}));
  }
}

TEST(JsonDecode, ScalarForAnEmptyShape) {
  Task task;
  ASSERT_TRUE(DecodeText("-7", One(DType::kInt32, {}), task).ok());
  EXPECT_EQ(task.rows[0].inputs[0].shape.size(), 0);
  EXPECT_EQ(Values<std::int32_t>(task.rows[0].inputs[0]), std::vector<std::int32_t>{-7});
  ExpectBad("[7]", One(DType::kInt32, {}), "got shape [1]");
}

TEST(JsonDecode, InstancesLieBackToBack) {
  Task task;
  ASSERT_TRUE(DecodeText(R"({"instances":[[1,2,3,4],{"x":[5,6,7,8]},[9,10,11,12]]})", kFloat4, task).ok());
  EXPECT_TRUE(task.instances);
  ASSERT_EQ(task.rows.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(task.rows[i].inputs[0].data, task.storage.data() + i * 16);
    EXPECT_EQ(Values<float>(task.rows[i].inputs[0])[0], static_cast<float>(4 * i + 1));
  }
  EXPECT_EQ(task.storage.size(), 48U);
}

TEST(JsonDecode, WhatOtherServersTakeBesideInstancesIsPassedOver) {
  for (const char* text : {R"({"instances":[[1,2,3,4]],"parameters":{"instances":[7],"x":["}"]}})",
                           R"({"signature_name" : "serving_default", "instances" : [[1,2,3,4]] })",
                           R"({"parameters":null,"instances":[[1,2,3,4]],"signature_name":"a"})"}) {
    Task task;
    ASSERT_TRUE(DecodeText(text, kFloat4, task).ok()) << text;
    EXPECT_TRUE(task.instances);
    ASSERT_EQ(task.rows.size(), 1U);
    EXPECT_EQ(Values<float>(task.rows[0].inputs[0]), (std::vector<float>{1, 2, 3, 4}));
  }
  const std::string deep =
      "{\"parameters\":" + std::string(101, '[') + std::string(101, ']') + ",\"instances\":[[1,2,3,4]]}";
  ExpectBad(deep, kFloat4, "no input \"parameters\"");
}

TEST(JsonDecode, AnInputMayBeCalledWhatMayStandBesideInstances) {
  const Signature named = Declare({{"parameters", DType::kFloat32, {2}, false}});
  Task task;
  ASSERT_TRUE(DecodeText(R"({"parameters":[1,2]})", named, task).ok());
  EXPECT_FALSE(task.instances);
  Task undeclared;
  ASSERT_TRUE(DecodeText(R"({"parameters":[1,2],"other":[3]})", kUndeclared, undeclared).ok());
  EXPECT_EQ(undeclared.names, (std::vector<std::string>{"parameters", "other"}));
}

TEST(JsonDecode, SeveralInputsInAnyOrderOptionalOnesMissing) {
  Task task;
  ASSERT_TRUE(DecodeText(R"({"mask":[true,false,1],"ids":[1,2,9007199254740993]})", kTwo, task).ok());
  const auto& inputs = task.rows[0].inputs;
  ASSERT_EQ(inputs.size(), 3U);
  EXPECT_EQ(Values<std::int64_t>(inputs[0]), (std::vector<std::int64_t>{1, 2, 9007199254740993}));
  EXPECT_EQ(Values<std::uint8_t>(inputs[1]), (std::vector<std::uint8_t>{1, 0, 1}));
  EXPECT_FALSE(inputs[2].present);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(inputs[0].data) % 8, 0U);
  ASSERT_TRUE(DecodeText(R"({"mask":[],"ids":[],"bias":null})", kTwo, task).ok());
  EXPECT_FALSE(task.rows[0].inputs[2].present);
  EXPECT_EQ(task.rows[0].inputs[0].shape, Shape({0}));
  ASSERT_TRUE(DecodeText(R"({"mask":[],"ids":[],"bias":0.5})", kTwo, task).ok());
  EXPECT_EQ(Values<float>(task.rows[0].inputs[2]), std::vector<float>{0.5});
}

TEST(JsonDecode, RowsMayDifferInFreeDimensions) {
  const Signature free = One(DType::kInt16, {-1, 2});
  Task task;
  ASSERT_TRUE(DecodeText(R"({"instances":[[[1,2]],[],[[3,4],[5,6]]]})", free, task).ok());
  EXPECT_EQ(task.rows[0].inputs[0].shape, Shape({1, 2}));
  EXPECT_EQ(task.rows[1].inputs[0].shape, Shape({0, 2}));
  EXPECT_EQ(task.rows[2].inputs[0].shape, Shape({2, 2}));
  EXPECT_EQ(Values<std::int16_t>(task.rows[2].inputs[0]), (std::vector<std::int16_t>{3, 4, 5, 6}));
}

TEST(JsonDecode, UndeclaredIsFloatOfTheShapeItShows) {
  Task task;
  ASSERT_TRUE(DecodeText("[[1,2,3],[4,5,6]]", kUndeclared, task).ok());
  EXPECT_EQ(task.rows[0].inputs[0].shape, Shape({2, 3}));
  EXPECT_EQ(Values<float>(task.rows[0].inputs[0])[5], 6.0F);
  ASSERT_TRUE(DecodeText("3.5", kUndeclared, task).ok());
  EXPECT_EQ(task.rows[0].inputs[0].shape.size(), 0);
  ASSERT_TRUE(DecodeText(R"({"b":[1],"a":[[2]]})", kUndeclared, task).ok());
  EXPECT_EQ(task.names, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(Values<float>(task.rows[0].inputs[1]), std::vector<float>{2});
  ASSERT_TRUE(DecodeText(R"({"instances":[{"b":1,"a":2},{"a":4,"b":3}]})", kUndeclared, task).ok());
  EXPECT_EQ(Values<float>(task.rows[1].inputs[0]), std::vector<float>{3});
  EXPECT_EQ(task.names, (std::vector<std::string>{"b", "a"}));
}

TEST(JsonDecode, UndeclaredRaggedOrEmptyOrMixedIsRefused) {
  ExpectBad("[[1,2],[3]]", kUndeclared, "rectangular");
  ExpectBad("[[1],2]", kUndeclared, "rectangular");
  ExpectBad("[1,[2]]", kUndeclared, "rectangular");
  ExpectBad("[[],[]]", kUndeclared, "empty");
  ExpectBad("[]", kUndeclared, "empty");
  ExpectBad("{}", kUndeclared, "without inputs");
  ExpectBad(R"({"instances":[{"a":1},{"b":1}]})", kUndeclared, "instance 1: ");
  ExpectBad(R"({"instances":[{"a":1},[1]]})", kUndeclared, "same inputs");
  ExpectBad(R"({"instances":[[1],{"a":1}]})", kUndeclared, "same inputs");
  ExpectBad(R"({"instances":[{"a":1,"b":2},{"a":1}]})", kUndeclared, "same inputs");
  ExpectBad(R"({"a":1,"instances":[1]})", kUndeclared, "stand alone");
  ExpectBad(R"({"":1})", kUndeclared, "name");
  ExpectBad("{\"a\\u0000b\":1}", kUndeclared, "control characters");
}

TEST(JsonDecode, ShapesThatDoNotMatchAreNamed) {
  const Signature sixteen = One(DType::kFloat32, {16});
  ExpectBad("[[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]]", sixteen, "expected float32 [16], got shape [1, 16]");
  ExpectBad("[[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]]", sixteen, "{\"instances\": [...]}");
  ExpectBad("[1,2,3]", kFloat4, "expected float32 [4], got shape [3]");
  ExpectBad("[1,2,3,4,5]", kFloat4, "got shape [5]");
  ExpectBad("[]", kFloat4, "got shape [0]");
  ExpectBad("5", kFloat4, "got shape []");
  ExpectBad("[[1,2],[3,4],[5,6]]", One(DType::kFloat32, {2, 3}), "got shape [3, 2]");
  ExpectBad("[[1,2],[3]]", One(DType::kFloat32, {-1, 2}), "got shape [2, 2]");
  ExpectBad("[[1,2],[3]]", One(DType::kFloat32, {-1, -1}), "expected float32 [-1, -1]");
  ExpectBad("[1,2]", One(DType::kFloat32, {1, 2}), "got shape [2]");
  ExpectBad("[[]]", One(DType::kInt8, {-1, 2}), "got shape [1, 0]");
  Task task;
  EXPECT_TRUE(DecodeText("[[],[]]", One(DType::kInt8, {2, 0}), task).ok());
  EXPECT_EQ(task.rows[0].inputs[0].bytes, 0U);
}

struct ValueCase {
  DType dtype;
  const char* text;
  const char* part;  // of the message; null: accepted
};

TEST(JsonDecode, ValuesOutsideTheDtypeAreRefused) {
  const ValueCase cases[] = {
      {DType::kUint8, "255", nullptr},
      {DType::kUint8, "256", "out of the range of uint8"},
      {DType::kUint8, "-1", "out of the range of uint8"},
      {DType::kInt8, "-128", nullptr},
      {DType::kInt8, "128", "out of the range of int8"},
      {DType::kInt16, "32768", "out of the range of int16"},
      {DType::kInt32, "-2147483648", nullptr},
      {DType::kInt32, "2147483648", "out of the range of int32"},
      {DType::kInt64, "9223372036854775807", nullptr},
      {DType::kInt64, "-9223372036854775808", nullptr},
      {DType::kInt64, "9223372036854775808", "out of the range of int64"},
      {DType::kInt64, "1e2", nullptr},
      {DType::kInt64, "1.5", "not a whole number"},
      {DType::kInt64, "1e-1", "not a whole number"},
      {DType::kInt64, "true", "a boolean"},
      {DType::kInt64, "\"NaN\"", "a string"},
      {DType::kBool, "true", nullptr},
      {DType::kBool, "0", nullptr},
      {DType::kBool, "2", "out of the range of bool"},
      {DType::kBool, "0.5", "not a whole number"},
      {DType::kFloat16, "65504", nullptr},
      {DType::kFloat16, "65519.99", nullptr},
      {DType::kFloat16, "65520", "out of the range of float16"},
      {DType::kBFloat16, "3.38e38", nullptr},
      {DType::kBFloat16, "3.4e38", "out of the range of bfloat16"},
      {DType::kFloat32, "3.5e38", "out of the range of float32"},
      {DType::kFloat32, "1e-60", nullptr},
      {DType::kFloat32, "true", "a boolean"},
      {DType::kFloat32, "null", "null at byte"},
      {DType::kFloat32, "{}", "there is no input"},
      {DType::kFloat32, "\"1\"", "as strings only"},
      {DType::kFloat64, "1e308", nullptr},
      {DType::kFloat64, "1e309", "out of the range of float64"},
  };
  for (const ValueCase& each : cases) {
    const Signature signature = One(each.dtype, {1});
    const std::string text = '[' + std::string(each.text) + ']';
    if (each.part != nullptr) {
      ExpectBad(text, signature, std::string(each.text) == "{}" ? "an object" : each.part);
    } else {
      Task task;
      EXPECT_TRUE(DecodeText(text, signature, task).ok()) << text;
    }
  }
}

TEST(JsonDecode, NonFiniteOnlyAsStrings) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16}) {
    Task task;
    ASSERT_TRUE(DecodeText(R"(["NaN","Infinity","-Infinity"])", One(dtype, {3}), task).ok());
  }
  Task task;
  ASSERT_TRUE(DecodeText(R"(["NaN","Infinity","-Infinity"])", One(DType::kFloat32, {3}), task).ok());
  const auto values = Values<float>(task.rows[0].inputs[0]);
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_EQ(values[1], INFINITY);
  EXPECT_EQ(values[2], -INFINITY);
  const std::string words = R"x(take the strings "NaN", "Infinity" and "-Infinity") at byte )x";
  ExpectBad("[1,NaN,2,3]", kFloat4, words + "3");
  ExpectBad("[1,-Infinity,2,3]", kFloat4, words + "3");
  ExpectBad("[Infinity,1,2,3]", kFloat4, words + "1");
  ExpectBad("[1,-Inf,2,3]", kFloat4, "RFC 8259 at byte 3");
  ExpectBad(R"(["nan",1,2,3])", kFloat4, "as strings only");
}

TEST(JsonDecode, HalfPrecisionRoundsToNearestEven) {
  Task task;
  // 1 + 2^-11 lies half-way between two float16; a little more does not, and float32 would not have seen it.
  ASSERT_TRUE(DecodeText("[1.00048828125,1.000488281251,1.00146484375,2.0e-8]", One(DType::kFloat16, {4}), task).ok());
  EXPECT_EQ(Values<std::uint16_t>(task.rows[0].inputs[0]), (std::vector<std::uint16_t>{0x3C00, 0x3C01, 0x3C02, 0}));
  ASSERT_TRUE(DecodeText("[1.00390625,1.0039062500001]", One(DType::kBFloat16, {2}), task).ok());
  EXPECT_EQ(Values<std::uint16_t>(task.rows[0].inputs[0]), (std::vector<std::uint16_t>{0x3F80, 0x3F81}));
}

TEST(JsonDecode, MalformedTextNamesTheByte) {
  struct Case {
    const char* text;
    const char* part;
  };
  const Case cases[] = {
      {"", "empty"},
      {"  \n", "empty"},
      {"\xEF\xBB\xBF[1,2,3,4]", "byte order mark; send UTF-8 without it at byte 0"},
      {"[1,2,3,4", "at byte 8"},
      {"[1,2,3", "at byte 6"},
      {"[1,2,3,", "at byte 7"},
      {"[1,2,3,4] x", "something follows the JSON value at byte 10"},
      {"[1,2,3,4],", "at byte 9"},
      {"[1,2,3,4]]", "at byte 9"},
      {"[1,2,3,,4]", "at byte 7"},
      {"[1 2,3,4]", "at byte 3"},
      {"[01,2,3,4]", "at byte 1"},
      {"[+1,2,3,4]", "at byte 1"},
      {"[.5,2,3,4]", "at byte 1"},
      {"[1.,2,3,4]", "at byte 1"},
      {"[0x10,2,3,4]", "at byte 2"},
      {"['1',2,3,4]", "at byte 1"},
      {"{\"x\":[1,2,3,4]", "at byte 14"},
      {"{\"x\" [1,2,3,4]}", "at byte 5"},
      {"{x:[1,2,3,4]}", "at byte 1"},
      {"{\"x\":[1,2,3,4],}", "at byte 15"},
      {"{\"x\":[1,2,3,4],\"x\":[1,2,3,4]}", "again at byte 15"},
      {"{\"x\xff\":[1]}", "UTF-8 at byte 3"},
      {"{\"\\ud800\":[1]}", "surrogate"},
      {"{\"y\":[1]}", "there is no input \"y\" at byte 1"},
      {"{}", "input \"x\" is missing"},
      {"{\"instances\":5}", "array of samples"},
      {"{\"instances\":[]}", "empty"},
      {"{\"instances\":[[1,2,3,4]],\"y\":1}", "the key \"y\" at byte 25 beside \"instances\""},
      {"{\"instances\":[[1,2,3,4]],\"instances\":[[1,2,3,4]]}", "\"instances\" again at byte 25"},
      {"{\"parameters\":1,\"instances\":[[1,2,3,4]],\"parameters\":2}", "\"parameters\" again at byte 40"},
      {"{\"parameters\":[,\"instances\":[[1,2,3,4]]}", "no input \"parameters\""},
      {"{\"parameters\":{}}", "no input \"parameters\""},
      {"{\"instances\":[[1,2,3,4]],\"parameters\":}", "at byte"},
      {"{\"instances\":[[1,2,3,4]],}", "at byte"},
      {"{\"instances\":[[1,2,3,4]", "at byte 23"},
      {"{\"instances\":[[1,2,3,4],[1,2,3]]}", "instance 1: input \"x\": expected float32 [4], got shape [3]"},
      {"{\"instances\":[{\"instances\":[[1,2,3,4]]}]}", "stand alone"},
      {"/* c */[1,2,3,4]", "at byte 0"},
      {"\"text\"", "a string at byte 0"},
  };
  for (const Case& each : cases) ExpectBad(each.text, kFloat4, each.part);
  ExpectBad("[1,2]", kTwo, "an object with the inputs \"ids\", \"mask\", optional \"bias\"");
  ExpectBad(R"({"ids":[1]})", kTwo, "\"mask\" is missing");
  ExpectBad(R"({"ids":[1],"mask":[true],"bias":null,"bias":1})", kTwo, "again");
}

TEST(JsonDecode, HostileNestingEndsAtTheLimit) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); };
  ExpectBad(nested(250'000), kFloat4, "nested deeper than 100 at byte 101");
  ExpectBad(nested(250'000), kUndeclared, "nested deeper than 100");
  ExpectBad(R"({"x":)" + nested(250'000) + "}", kFloat4, "nested deeper than 100");
  ExpectBad(R"({"instances":[)" + nested(250'000) + "]}", kFloat4, "nested deeper than 100");
  ExpectBad("[1,2,3," + nested(250'000), kFloat4, "got shape [4]");
  std::string objects;
  for (int i = 0; i < 250'000; ++i) objects += "{\"x\":";
  ExpectBad(objects, kFloat4, "an object at byte 5");
  ExpectBad(std::string(250'000, '{'), kFloat4, "at byte 1");
  ExpectBad(nested(120), kFloat4, "nested deeper than 100");
  Limits limits;
  limits.max_json_depth = 3;
  Task task;
  EXPECT_TRUE(DecodeText(nested(2), kUndeclared, task, limits).ok());
  EXPECT_TRUE(DecodeText(nested(3), kUndeclared, task, limits).ok());
  ExpectBad(nested(4), kUndeclared, "nested deeper than 3", limits);
  ExpectBad(R"({"instances":[)" + nested(2) + "]}", kUndeclared, "nested deeper than 3", limits);
  EXPECT_TRUE(DecodeText(nested(16), kUndeclared, task).ok());
  ExpectBad(nested(17), kUndeclared, "17 dimensions; at most 16");
}

TEST(JsonDecode, LimitsHoldAtTheirEdges) {
  Limits limits;
  limits.max_instances = 3;
  const auto instances = [](int count) {
    std::string text = "{\"instances\":[";
    for (int i = 0; i < count; ++i) text += i == 0 ? "[1,2,3,4]" : ",[1,2,3,4]";
    return text + "]}";
  };
  Task task;
  EXPECT_TRUE(DecodeText(instances(2), kFloat4, task, limits).ok());
  EXPECT_TRUE(DecodeText(instances(3), kFloat4, task, limits).ok());
  ExpectBad(instances(4), kFloat4, "more than 3 instances; --max-instances or the model's sconce.maxInstances", limits);
  const auto keys = [](int count) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
    return text + "}";
  };
  limits.max_json_keys = 5;
  EXPECT_TRUE(DecodeText(keys(4), kUndeclared, task, limits).ok());
  EXPECT_TRUE(DecodeText(keys(5), kUndeclared, task, limits).ok());
  ExpectBad(keys(6), kUndeclared, "more than 5 keys", limits);
  EXPECT_TRUE(DecodeText(keys(256), kUndeclared, task).ok());
  ExpectBad(keys(257), kUndeclared, "more than 256 inputs");
  ExpectBad("{\"" + std::string(257, 'n') + "\":1}", kUndeclared, "over 256 bytes");
}

TEST(JsonDecode, DecodedBytesAreLimited) {
  Limits limits;
  Task task;
  const auto zeros = [](int count) {
    std::string text = "[0";
    for (int i = 1; i < count; ++i) text += ",0";
    return text + "]";
  };
  for (const Signature& signature : {kUndeclared, One(DType::kFloat32, {-1}), One(DType::kFloat32, {1000})}) {
    limits.max_decoded_bytes = 3999;
    const Status s = DecodeText(zeros(1000), signature, task, limits);
    EXPECT_EQ(s.code(), Code::kPayloadTooLarge);
    EXPECT_NE(s.message().find("--max-request-size"), std::string::npos) << s.message();
    limits.max_decoded_bytes = 4000;
    EXPECT_TRUE(DecodeText(zeros(1000), signature, task, limits).ok());
    limits.max_decoded_bytes = 4001;
    EXPECT_TRUE(DecodeText(zeros(1000), signature, task, limits).ok());
  }
  // Text expands: two bytes of JSON are eight of float64. Refused before the memory is taken.
  limits.max_decoded_bytes = std::size_t{1} << 20;
  EXPECT_EQ(DecodeText(zeros(200'000), One(DType::kFloat64, {-1}), task, limits).code(), Code::kPayloadTooLarge);
  EXPECT_LE(task.storage.capacity(), std::size_t{2} << 20);
  const Signature huge = One(DType::kFloat64, {std::int64_t{1} << 40, std::int64_t{1} << 40});
  EXPECT_EQ(DecodeText("[[1]]", huge, task).code(), Code::kPayloadTooLarge);
}

TEST(JsonDecode, ATaskIsUsedAgain) {
  Task task;
  ASSERT_TRUE(DecodeText(R"({"instances":[[1,2,3,4],[5,6,7,8]]})", kFloat4, task).ok());
  ASSERT_FALSE(DecodeText("[1,2,3,", kFloat4, task).ok());
  ASSERT_TRUE(DecodeText("[4,3,2,1]", kFloat4, task).ok());
  EXPECT_FALSE(task.instances);
  ASSERT_EQ(task.rows.size(), 1U);
  EXPECT_EQ(Values<float>(task.rows[0].inputs[0]), (std::vector<float>{4, 3, 2, 1}));
}

}  // namespace
}  // namespace sconce::codec
