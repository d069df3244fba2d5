#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "codec/codec_test_util.h"
#include "codec/npy.h"

namespace sconce::codec {
namespace {

using Leaves = std::vector<TensorView>;
using Kind = OutputNode::Kind;

constexpr DType kAll[] = {DType::kBool,  DType::kUint8,   DType::kInt8,     DType::kInt16,   DType::kInt32,
                          DType::kInt64, DType::kFloat16, DType::kBFloat16, DType::kFloat32, DType::kFloat64};

OutputNode Leaf(int index) { return {Kind::kTensor, index, {}, {}}; }

std::string Json(const OutputNode& layout, const std::vector<Leaves>& rows, bool instances = false) {
  Buffer out;
  EXPECT_TRUE(Encode(OutputFormat::kJson, layout, rows, instances, out).ok());
  return TextOf(out);
}

TEST(Encode, TensorsAreNestedArrays) {
  const std::vector<float> values = {1, -0.5, 1e-9F, 3e30F, 0, 1234567};
  EXPECT_EQ(Json(Leaf(0), {{View(DType::kFloat32, {2, 3}, values)}}), "[[1.0,-0.5,1e-09],[3e+30,0.0,1234567.0]]");
  EXPECT_EQ(Json(Leaf(0), {{View(DType::kFloat32, {6}, values)}}, true),
            "{\"predictions\":[[1.0,-0.5,1e-09,3e+30,0.0,1234567.0]]}");
  EXPECT_EQ(Json(Leaf(0), {{View<float>(DType::kFloat32, {}, {7})}}), "7.0");
  EXPECT_EQ(Json(Leaf(0), {{View<float>(DType::kFloat32, {0}, {})}}), "[]");
  EXPECT_EQ(Json(Leaf(0), {{View<float>(DType::kFloat32, {2, 0}, {})}}), "[[],[]]");
}

TEST(Encode, StructuresKeepTheirForm) {
  const std::vector<std::int64_t> ints = {std::numeric_limits<std::int64_t>::min(), 9007199254740993};
  const std::vector<std::uint8_t> bools = {1, 0};
  const Leaves row = {View(DType::kInt64, {2}, ints), View(DType::kBool, {2}, bools)};
  const OutputNode dict{Kind::kDict, 0, {Leaf(1), {Kind::kList, 0, {Leaf(0), Leaf(1)}, {}}}, {"é\"", "b"}};
  const std::string one = R"({"\u00e9\"":[true,false],"b":[[-9223372036854775808,9007199254740993],[true,false]]})";
  EXPECT_EQ(Json(dict, {row}), one);
  EXPECT_EQ(Json(dict, {row, row}, true), "{\"predictions\":[" + one + "," + one + "]}");
  EXPECT_EQ(Json({Kind::kList, 0, {}, {}}, {row}), "[]");
}

TEST(Encode, NoneAndText) {
  const std::string text = "h\u00e9\"\n";
  const TensorView view{DType::kUint8, {5}, reinterpret_cast<const std::byte*>(text.data()), text.size(), true};
  const OutputNode word{Kind::kTensor, 0, {}, {}, LeafKind::kText};
  const OutputNode none{Kind::kNone, 0, {}, {}};
  EXPECT_EQ(Json(none, {{}}), "null");
  EXPECT_EQ(Json({Kind::kDict, 0, {none, word}, {"a", "b"}}, {{view}}), R"({"a":null,"b":"h\u00e9\"\u000a"})");
  EXPECT_EQ(Json(word, {{View<std::uint8_t>(DType::kUint8, {0}, {})}}), "\"\"");
  Buffer out;
  const std::vector<Leaves> rows = {{view}};
  for (const OutputNode& layout : {none, word}) {
    EXPECT_EQ(Encode(OutputFormat::kRaw, layout, rows, false, out).code(), Code::kNotAcceptable);
  }
}

TEST(Encode, NonFiniteAreStrings) {
  const std::vector<float> values = {NAN, INFINITY, -INFINITY};
  EXPECT_EQ(Json(Leaf(0), {{View(DType::kFloat32, {3}, values)}}), R"(["NaN","Infinity","-Infinity"])");
  const std::vector<double> wide = {NAN, INFINITY, -INFINITY, 0.1, 5};
  EXPECT_EQ(Json(Leaf(0), {{View(DType::kFloat64, {5}, wide)}}), R"(["NaN","Infinity","-Infinity",0.1,5.0])");
  const std::vector<std::uint16_t> half = {0x7E00, 0x7C00, 0xFC00, 0x3C00, 0x2E66};
  EXPECT_EQ(Json(Leaf(0), {{View(DType::kFloat16, {5}, half)}}), R"(["NaN","Infinity","-Infinity",1.0,0.099975586])");
}

// Random bit patterns of every dtype come back bit for bit through JSON (NaN: as a NaN), .npy and raw.
TEST(Encode, EveryDtypeRoundTrips) {
  std::mt19937_64 random(3);
  constexpr std::size_t kCount = 20'000;
  for (const DType dtype : kAll) {
    std::vector<std::uint8_t> bytes(kCount * ByteSize(dtype));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(dtype == DType::kBool ? random() & 1 : random());
    const Shape shape({100, 200});
    const Leaves row = {View(dtype, shape, bytes)};
    const Signature signature = One(dtype, shape);
    const std::string text = Json(Leaf(0), {row});
    Task task;
    const Status s = DecodeText(text, signature, task);
    ASSERT_TRUE(s.ok()) << DTypeName(dtype) << s.message();
    EXPECT_EQ(Json(Leaf(0), {task.rows[0].inputs}), text) << DTypeName(dtype);
    std::vector<std::uint8_t> back = Values<std::uint8_t>(task.rows[0].inputs[0]);
    std::size_t different = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) different += back[i] != bytes[i];
    const bool floating = dtype >= DType::kFloat16;
    EXPECT_LE(different, floating ? bytes.size() / 16 : 0) << DTypeName(dtype);  // the payloads of NaN

    for (const OutputFormat format : {OutputFormat::kNpy, OutputFormat::kRaw}) {
      if (dtype == DType::kBFloat16 && format == OutputFormat::kNpy) continue;
      Buffer out;
      ASSERT_TRUE(Encode(format, Leaf(0), std::vector<Leaves>{row}, false, out).ok());
      const auto input = format == OutputFormat::kNpy ? InputFormat::kNpy : InputFormat::kRaw;
      ASSERT_TRUE(Decode(input, out.bytes(), signature, {}, task).ok());
      EXPECT_EQ(Values<std::uint8_t>(task.rows[0].inputs[0]), bytes) << DTypeName(dtype);
    }
  }
}

TEST(Encode, FiniteFloatsRoundTripBitForBit) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    std::vector<std::uint16_t> bits;
    const std::uint32_t infinity = dtype == DType::kFloat16 ? 0x7C00 : 0x7F80;
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
      if ((i & 0x7FFF) <= infinity) bits.push_back(static_cast<std::uint16_t>(i));
    }
    const Shape shape({static_cast<std::int64_t>(bits.size())});
    Task task;
    ASSERT_TRUE(DecodeText(Json(Leaf(0), {{View(dtype, shape, bits)}}), One(dtype, shape), task).ok());
    EXPECT_EQ(Values<std::uint16_t>(task.rows[0].inputs[0]), bits) << DTypeName(dtype);
  }
}

TEST(Encode, BinaryHoldsOneOutput) {
  const std::vector<float> a = {1, 2};
  const std::vector<float> b = {3, 4};
  const std::vector<Leaves> rows = {{View(DType::kFloat32, {2}, a)}, {View(DType::kFloat32, {2}, b)}};
  Buffer out;
  ASSERT_TRUE(Encode(OutputFormat::kNpy, Leaf(0), rows, true, out).ok());
  NpyArray array;
  ASSERT_TRUE(ParseNpy(out.bytes(), &array).ok());
  EXPECT_EQ(array.shape, Shape({2, 2}));
  ASSERT_TRUE(Encode(OutputFormat::kRaw, Leaf(0), rows, true, out).ok());
  EXPECT_EQ(out.size(), 16U);
  const std::vector<Leaves> uneven = {rows[0], {View(DType::kFloat32, {1, 2}, b)}};
  EXPECT_EQ(Encode(OutputFormat::kNpy, Leaf(0), uneven, true, out).code(), Code::kNotAcceptable);
  const OutputNode list{Kind::kList, 0, {Leaf(0)}, {}};
  for (const OutputFormat format : {OutputFormat::kNpy, OutputFormat::kRaw}) {
    const Status s = Encode(format, list, rows, false, out);
    EXPECT_EQ(s.code(), Code::kNotAcceptable);
    EXPECT_NE(s.message().find("application/json"), std::string::npos);
  }
  EXPECT_EQ(Encode(OutputFormat::kTensors, Leaf(0), rows, false, out).code(), Code::kInternal);
  EXPECT_EQ(Encode(OutputFormat::kJson, Leaf(0), {}, false, out).code(), Code::kInternal);
}

TEST(Encode, TensorsArePackedOnCacheLines) {
  const std::vector<float> a = {1, 2, 3};
  const std::vector<std::uint8_t> b = {9};
  const std::vector<Leaves> rows = {{View(DType::kFloat32, {3}, a), View(DType::kUint8, {1}, b)},
                                    {View(DType::kFloat32, {3}, a), View(DType::kUint8, {1}, b)}};
  Buffer out;
  std::vector<LeafInfo> leaves;
  EncodeTensors(rows, out, leaves);
  ASSERT_EQ(leaves.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(leaves[i].offset, i * 64);
  EXPECT_EQ(out.size(), 193U);
  EXPECT_EQ(out.data()[192], std::byte{9});
  EXPECT_EQ(out.data()[191], std::byte{0});
  EXPECT_EQ(leaves[2].shape, Shape({3}));
  EXPECT_EQ(leaves[2].bytes, 12U);
}

}  // namespace
}  // namespace sconce::codec
