#include <gtest/gtest.h>

#include "codec/codec_test_util.h"

namespace sconce::codec {
namespace {

const std::string kModel = "m";
const std::string kVersion = "1.0";
const std::vector<float> kFloats = {1.5F, -2};
const std::vector<std::int64_t> kInts = {7};

OutputNode Leaf(int leaf) {
  OutputNode node;
  node.leaf = leaf;
  return node;
}

OutputNode Dict() {
  OutputNode node;
  node.kind = OutputNode::Kind::kDict;
  node.keys = {"a", "b"};
  node.children = {Leaf(0), Leaf(1)};
  return node;
}

std::vector<TensorView> Row() { return {View(DType::kFloat32, {2}, kFloats), View(DType::kInt64, {}, kInts)}; }

std::string Encoded(const V2Request& asked, const OutputNode& layout, std::size_t rows, bool batched,
                    const std::vector<std::string>& names = {}) {
  const std::vector<std::vector<TensorView>> all(rows, Row());
  Buffer out;
  const Status status = EncodeV2({kModel, kVersion, names}, asked, layout, all, batched, out);
  return status.ok() ? TextOf(out) : "!" + status.message();
}

TEST(EncodeV2, JsonOfOneTensor) {
  EXPECT_EQ(Encoded({}, Leaf(0), 1, false),
            R"({"model_name":"m","model_version":"1.0","outputs":[{"name":"output_0","shape":[2],"datatype":"FP32",)"
            R"("data":[1.5,-2.0]}]})");
  V2Request asked;
  asked.id = "q";
  EXPECT_EQ(Encoded(asked, Leaf(0), 2, true, {"y"}),
            R"({"model_name":"m","model_version":"1.0","id":"q","outputs":[{"name":"y","shape":[2,2],)"
            R"("datatype":"FP32","data":[1.5,-2.0,1.5,-2.0]}]})");
}

TEST(EncodeV2, TheOutputsThatAreAskedFor) {
  V2Request asked;
  asked.outputs = {{"b", std::nullopt}};
  EXPECT_EQ(Encoded(asked, Dict(), 1, true),
            R"({"model_name":"m","model_version":"1.0","outputs":[{"name":"b","shape":[1],"datatype":"INT64",)"
            R"("data":[7]}]})");
  asked.outputs = {{"c\n", std::nullopt}};
  EXPECT_EQ(Encoded(asked, Dict(), 1, true), "!there is no output \"c?\"; the model has a, b");
}

TEST(EncodeV2, NamesOfListsAndNests) {
  OutputNode list;
  list.kind = OutputNode::Kind::kList;
  list.children = {Leaf(0), Dict()};
  list.children[1].children = {Leaf(1), Leaf(1)};
  const std::string text = Encoded({}, list, 1, false);
  for (const char* name : {"\"output_0\"", "\"output_1.a\"", "\"output_1.b\""}) {
    EXPECT_NE(text.find(name), std::string::npos) << text;
  }
}

TEST(EncodeV2, BytesBehindTheJson) {
  V2Request asked;
  asked.binary = true;
  asked.outputs = {{"a", std::nullopt}, {"b", false}};
  const std::string text = Encoded(asked, Dict(), 2, true);
  const std::string json =
      R"({"model_name":"m","model_version":"1.0","outputs":[{"name":"a","shape":[2,2],"datatype":"FP32",)"
      R"("parameters":{"binary_data_size":16}},{"name":"b","shape":[2],"datatype":"INT64","data":[7,7]}]})";
  ASSERT_EQ(text.size(), kV2PrefixBytes + json.size() + 16);
  EXPECT_EQ(text[0], '\0');
  EXPECT_EQ(static_cast<unsigned char>(text[4]) + 256U * static_cast<unsigned char>(text[5]), json.size());
  EXPECT_EQ(text.substr(kV2PrefixBytes, json.size()), json);
  float first = 0;
  std::memcpy(&first, text.data() + kV2PrefixBytes + json.size(), sizeof first);
  EXPECT_EQ(first, 1.5F);
}

TEST(EncodeV2, NoneIsNoOutputAndTextIsBytes) {
  OutputNode layout;
  layout.kind = OutputNode::Kind::kList;
  layout.children.resize(2);
  layout.children[0].kind = OutputNode::Kind::kNone;
  layout.children[1].leaf_kind = LeafKind::kText;
  const std::vector<std::uint8_t> bytes = {'a', '"'};
  const std::vector<std::vector<TensorView>> rows = {{View(DType::kUint8, {2}, bytes)},
                                                     {View<std::uint8_t>(DType::kUint8, {0}, {})}};
  const std::string head = R"({"model_name":"m","model_version":"1.0","outputs":[)"
                           R"({"name":"output_1","shape":[2],"datatype":"BYTES",)";
  Buffer out;
  ASSERT_TRUE(EncodeV2({kModel, kVersion, {}}, {}, layout, rows, true, out).ok());
  EXPECT_EQ(TextOf(out), head + R"("data":["a\"",""]}]})");
  V2Request asked;
  asked.binary = true;
  ASSERT_TRUE(EncodeV2({kModel, kVersion, {}}, asked, layout, rows, true, out).ok());
  const std::string raw("\2\0\0\0a\"\0\0\0\0", 10);
  EXPECT_EQ(TextOf(out).substr(kV2PrefixBytes), head + R"("parameters":{"binary_data_size":10}}]})" + raw);
  std::vector<LeafInfo> leaves(2);
  NameLeaves(layout, {}, leaves);
  EXPECT_TRUE(leaves[1].text && leaves[1].name == "output_1");
}

TEST(EncodeV2, SamplesOfDifferentShapesAreNoOneTensor) {
  const std::vector<std::vector<TensorView>> rows = {{View(DType::kFloat32, {2}, kFloats)},
                                                     {View(DType::kFloat32, {1, 2}, kFloats)}};
  Buffer out;
  EXPECT_EQ(EncodeV2({kModel, kVersion, {}}, {}, Leaf(0), rows, true, out).code(), Code::kNotAcceptable);
  EXPECT_EQ(out.size(), 0u);
}

}  // namespace
}  // namespace sconce::codec
