#include "codec/json_string.h"

#include <gtest/gtest.h>

#include <cstring>

namespace sconce::codec {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

Status Read(std::string_view text, std::string* out) {
  JsonReader reader(Bytes(text));
  return ReadString(reader, 256, out);
}

std::string Write(std::string_view text) {
  Buffer out;
  WriteString(text, out);
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

TEST(JsonString, ReadsEscapesAndUtf8) {
  std::string out;
  ASSERT_TRUE(Read(R"("a\"\\\/\b\f\n\r\tA\u00e9\u20AC\ud83d\ude00é€")", &out).ok());
  EXPECT_EQ(out, "a\"\\/\b\f\n\r\tAé€😀é€");
}

TEST(JsonString, RefusesWhatIsIllFormed) {
  std::string out;
  for (const char* text : {"\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"",
                           "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\x01\"", "\"\n\"", "\"\xff\"", "\"\xc0\xaf\"",
                           "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\"", "\"\x80\"", "abc", ""}) {
    const Status s = Read(text, &out);
    EXPECT_EQ(s.code(), Code::kBadRequest) << text;
    EXPECT_NE(s.message().find("at byte "), std::string::npos) << s.message();
  }
}

TEST(JsonString, HoldsTheLengthLimit) {
  std::string out;
  EXPECT_TRUE(Read('"' + std::string(255, 'a') + '"', &out).ok());
  EXPECT_TRUE(Read('"' + std::string(256, 'a') + '"', &out).ok());
  EXPECT_FALSE(Read('"' + std::string(257, 'a') + '"', &out).ok());
}

TEST(JsonString, WritesAsciiThatReadsBack) {
  EXPECT_EQ(Write("plain"), R"("plain")");
  EXPECT_EQ(Write("q\"b\\n\n\x7f"), R"("q\"b\\n\u000a\u007f")");
  EXPECT_EQ(Write("é€😀"), R"("\u00e9\u20ac\ud83d\ude00")");
  EXPECT_EQ(Write("\xff"), R"("\ufffd")");
  std::string back;
  ASSERT_TRUE(Read(Write("é€😀\n\""), &back).ok());
  EXPECT_EQ(back, "é€😀\n\"");
}

}  // namespace
}  // namespace sconce::codec
