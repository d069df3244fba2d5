#include "codec/npy.h"

#include <gtest/gtest.h>

#include "codec/codec_test_util.h"

namespace sconce::codec {
namespace {

std::string File(const std::string& header, const std::string& data, char major = 1) {
  std::string file = "\x93NUMPY";
  file += major;
  file += '\0';
  file += static_cast<char>(header.size() & 0xFF);
  file += static_cast<char>(header.size() >> 8);
  if (major > 1) file += std::string(2, '\0');
  return file + header + data;
}

std::string Header(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }   \n";
}

Status Decode4(const std::string& file, Task& task, const Signature& signature, const Limits& limits = {}) {
  return Decode(InputFormat::kNpy, Bytes(file), signature, limits, task);
}

void ExpectBad(const std::string& file, const std::string& part, const Signature& signature = {}) {
  Task task;
  const Status s = Decode4(file, task, signature);
  EXPECT_EQ(s.code(), Code::kBadRequest);
  EXPECT_NE(s.message().find(part), std::string::npos) << s.message();
  EXPECT_TRUE(task.rows.empty());
}

TEST(Npy, AllVersionsAndTypes) {
  struct Row {
    const char* descr;
    DType dtype;
  };
  const Row rows[] = {{"|b1", DType::kBool},    {"|u1", DType::kUint8},   {"|i1", DType::kInt8},
                      {"<i2", DType::kInt16},   {"<i4", DType::kInt32},   {"<i8", DType::kInt64},
                      {"<f2", DType::kFloat16}, {"<f4", DType::kFloat32}, {"<f8", DType::kFloat64}};
  for (const Row& row : rows) {
    for (const char major : {'\1', '\2', '\3'}) {
      Task task;
      const std::string data(6 * ByteSize(row.dtype), '\1');
      ASSERT_TRUE(Decode4(File(Header(row.descr, "(2, 3)"), data, major), task, {}).ok()) << row.descr;
      const TensorView& view = task.rows.at(0).inputs.at(0);
      EXPECT_EQ(view.dtype, row.dtype);
      EXPECT_EQ(view.shape, Shape({2, 3}));
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(view.data), view.bytes), data);
    }
  }
}

TEST(Npy, OneDimensionMoreIsSeveralSamples) {
  const Signature two = One(DType::kUint8, {2});
  Task task;
  ASSERT_TRUE(Decode4(File(Header("|u1", "(2,)"), "ab"), task, two).ok());
  EXPECT_FALSE(task.instances);
  ASSERT_TRUE(Decode4(File(Header("|u1", "(3, 2)"), "abcdef"), task, two).ok());
  EXPECT_TRUE(task.instances);
  ASSERT_EQ(task.rows.size(), 3U);
  EXPECT_EQ(task.rows[2].inputs[0].data, task.storage.data() + 4);
  EXPECT_EQ(task.rows[2].inputs[0].shape, Shape({2}));
  Limits limits;
  limits.max_instances = 2;
  EXPECT_NE(Decode4(File(Header("|u1", "(3, 2)"), "abcdef"), task, two, limits).message().find("maxInstances"),
            std::string::npos);
  limits.max_instances = 3;
  EXPECT_TRUE(Decode4(File(Header("|u1", "(3, 2)"), "abcdef"), task, two, limits).ok());
  limits.max_decoded_bytes = 5;
  EXPECT_EQ(Decode4(File(Header("|u1", "(3, 2)"), "abcdef"), task, two, limits).code(), Code::kPayloadTooLarge);
  limits.max_decoded_bytes = 6;
  EXPECT_TRUE(Decode4(File(Header("|u1", "(3, 2)"), "abcdef"), task, two, limits).ok());
  ExpectBad(File(Header("|u1", "(0, 2)"), ""), "no samples", two);
}

TEST(Npy, MustBeWhatIsDeclared) {
  const Signature four = One(DType::kFloat32, {4});
  ExpectBad(File(Header("<f8", "(4,)"), std::string(32, '\0')), "expected float32 [4]", four);
  ExpectBad(File(Header("<f8", "(4,)"), std::string(32, '\0')), "got float64 [4]", four);
  ExpectBad(File(Header("<f4", "(3,)"), std::string(12, '\0')), "got float32 [3]", four);
  ExpectBad(File(Header("<f4", "(1, 1, 4)"), std::string(16, '\0')), "got float32 [1, 1, 4]", four);
  ExpectBad(File(Header("|b1", "(1,)"), "\2"), "neither 0 nor 1", One(DType::kBool, {1}));
  ExpectBad(File(Header("<f4", "(1,)"), "1234"), "by name as a JSON object",
            Declare({{"a", DType::kFloat32, {1}, false}, {"b", DType::kFloat32, {1}, false}}));
  ExpectBad(File(Header("<f4", "(0,)"), ""), "empty array");
}

TEST(Npy, MalformedFilesAreNamed) {
  const std::string good = File(Header("|u1", "(2,)"), "ab");
  ASSERT_EQ(good.substr(10, 1), "{");
  for (std::size_t length = 0; length < good.size(); ++length) {
    Task task;
    EXPECT_EQ(Decode4(good.substr(0, length), task, {}).code(), Code::kBadRequest) << length;
  }
  ExpectBad(good + "c", "needs 2 bytes of data, got 3");
  ExpectBad(File(Header("|u1", "(2,)"), "ab", 4), "version 4");
  ExpectBad(File(Header(">f4", "(1,)"), "abcd"), "big-endian");
  ExpectBad(File(Header("<V2", "(1,)"), "ab"), "dtype");
  ExpectBad(File(Header("<c8", "(1,)"), "abcdefgh"), "dtype");
  ExpectBad(File(Header("|O", "(1,)"), "a"), "dtype");
  ExpectBad(File(Header("|u1", "(2,)", "True"), "ab"), "Fortran order");
  ExpectBad(File(Header("|u1", "(2,)", "Maybe"), "ab"), "neither True nor False");
  ExpectBad(File(Header("|u1", "(-2,)"), "ab"), "dimension");
  ExpectBad(File(Header("|u1", "2"), "ab"), "tuple");
  ExpectBad(File(Header("|u1", "(2 2)"), "abcd"), "punctuation");
  ExpectBad(File(Header("|u1", "(99999999999999999999,)"), "ab"), "dimension");
  ExpectBad(File(Header("<f8", "(4611686018427387904, 4)"), "ab"), "larger than memory");
  ExpectBad(File(Header("<f8", "(2305843009213693952,)"), ""), "larger than memory");
  ExpectBad(File(Header("|u1", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), "a"), "more than 16 dimensions");
  ExpectBad(File("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", "abcd"), "structured");
  ExpectBad(File("{'descr': '|u1', 'shape': (1,), }\n", "a"), "lacks");
  ExpectBad(File("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n", "a"), "repeated");
  ExpectBad(File(Header("|u1", "(1,)") + "}", "a"), "follows");
  ExpectBad(File("[]", "a"), "not a dict");
}

TEST(Npy, WritesWhatItReads) {
  Buffer out;
  ASSERT_TRUE(WriteNpyHeader(DType::kInt32, Shape({2, 1}), out).ok());
  EXPECT_EQ(out.size() % 64, 0U);
  out.Append("12345678", 8);
  NpyArray array;
  ASSERT_TRUE(ParseNpy(out.bytes(), &array).ok());
  EXPECT_EQ(array.dtype, DType::kInt32);
  EXPECT_EQ(array.shape, Shape({2, 1}));
  EXPECT_EQ(array.data.size(), 8U);
  out.Clear();
  ASSERT_TRUE(WriteNpyHeader(DType::kBool, Shape(), out).ok());
  out.Append("1", 1);
  ASSERT_TRUE(ParseNpy(out.bytes(), &array).ok());
  EXPECT_EQ(array.shape.size(), 0);
  EXPECT_EQ(WriteNpyHeader(DType::kBFloat16, Shape({1}), out).code(), Code::kNotAcceptable);
}

}  // namespace
}  // namespace sconce::codec
