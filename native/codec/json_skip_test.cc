#include "codec/json_skip.h"

#include <gtest/gtest.h>

#include "codec/codec_test_util.h"

namespace sconce::codec {
namespace {

// Bytes passed over, or -1.
int Skipped(std::string_view text, int max_depth = 4) {
  JsonReader reader(Bytes(text));
  return SkipValue(reader, max_depth).ok() ? static_cast<int>(reader.offset()) : -1;
}

TEST(SkipValue, PassesOverOneValue) {
  EXPECT_EQ(Skipped("12, 3"), 2);
  EXPECT_EQ(Skipped("-1.5e+3]"), 7);
  EXPECT_EQ(Skipped("true}"), 4);
  EXPECT_EQ(Skipped(R"("a\"]b" , 1)"), 7);
  EXPECT_EQ(Skipped(R"({"a": [1, {"b": "]}"}], "c": null} x)"), 34);
  EXPECT_EQ(Skipped("[]"), 2);
  EXPECT_EQ(Skipped("[ ] "), 3);
  EXPECT_EQ(Skipped("[{ } , [ ], 1e999, \t\"\" ]"), 24);
}

TEST(SkipValue, RefusesWhatIsNone) {
  for (const char* text : {"", "]", "[1", "{\"a\": 1", "[1}", "\"a", ", 1", "[\x01]", "\"\xff\""}) {
    EXPECT_EQ(Skipped(text), -1) << text;
  }
}

TEST(SkipValue, HoldsToTheGrammar) {
  for (const char* text : {"[1,]",      "[,1]",       "[1,,2]",    "[1 2]",      "[\"\": 1]", "{\"a\"}", "{\"a\":}",
                           "{\"a\" 1}", "{\"a\":1,}", "{\"a\",1}", "{1:1}",      "{a:1}",     "{,}",     "{]",
                           "[}",        "{\"a\":1]",  "nul",       "truth",      "True",      "NaN",     "Infinity",
                           "-",         "+1",         "01",        "1.",         ".5",        "0x1",     "1e",
                           "[1.0.2]",   "[-foo]",     "[1_000]",   "{\"a\"::1}", "[\"a\\x\"]"}) {
    EXPECT_EQ(Skipped("[" + std::string(text) + "]"), -1) << text;
  }
}

TEST(SkipValue, IsBoundedInDepth) {
  EXPECT_EQ(Skipped("[[[[1]]]]"), 9);
  EXPECT_EQ(Skipped("[[[[[1]]]]]"), -1);
  EXPECT_EQ(Skipped(std::string(1'000'000, '['), 100), -1);
}

TEST(ShownText, IsPrintableAndShort) {
  EXPECT_EQ(ShownText("a\nb\"c"), "a?b?c");
  EXPECT_EQ(ShownText(std::string(100, 'x')), std::string(64, 'x') + "...");
}

}  // namespace
}  // namespace sconce::codec
