#include "codec/float_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace sconce::codec {
namespace {

std::string Text(float value) {
  char out[kMaxFloatText];
  return {out, WriteFloat(value, out)};
}

// The digits that matter: no sign, point, exponent, leading or trailing zeros.
std::string Significant(std::string_view text) {
  std::string digits;
  for (const char c : text.substr(0, text.find('e'))) {
    if (c >= '0' && c <= '9' && (c != '0' || !digits.empty())) digits.push_back(c);
  }
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  return digits;
}

// Written with the fewest digits, nearest to the value, and read back to the same bits by both readers.
void CheckFloat(std::uint32_t bits) {
  const auto value = std::bit_cast<float>(bits);
  if (!std::isfinite(value)) return;
  char out[kMaxFloatText];
  const char* end = WriteFloat(value, out);
  const std::string text(static_cast<const char*>(out), end);
  ASSERT_LE(text.size(), std::size_t{kMaxFloatText});
  char library[64];
  const char* library_end = std::to_chars(library, library + 64, value, std::chars_format::scientific).ptr;
  ASSERT_EQ(Significant(text), Significant({library, static_cast<std::size_t>(library_end - library)})) << bits;
  float back = 0;
  const char* next = nullptr;
  ASSERT_EQ(ReadFloat(out, end, &back, &next), NumberResult::kOk) << text;
  ASSERT_EQ(std::bit_cast<std::uint32_t>(back), bits) << text;
  ASSERT_EQ(next, end);
  const std::string padded = text + "," + std::string(64, ' ');
  const FloatRun run = ReadFloatRun(padded.data(), padded.data() + padded.size(), &back, 1);
  if (run.count == 1) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(back), bits) << text;
  }
}

TEST(FloatText, WritesPlainForms) {
  EXPECT_EQ(Text(0.0F), "0.0");
  EXPECT_EQ(Text(-0.0F), "-0.0");
  EXPECT_EQ(Text(1.0F), "1.0");
  EXPECT_EQ(Text(-2.5F), "-2.5");
  EXPECT_EQ(Text(0.1F), "0.1");
  EXPECT_EQ(Text(1234.5678F), "1234.5677");
  EXPECT_EQ(Text(16777216.0F), "16777216.0");
  EXPECT_EQ(Text(0.0001F), "0.0001");
  EXPECT_EQ(Text(0.00001F), "1e-05");
  EXPECT_EQ(Text(1e16F), "1e+16");
  EXPECT_EQ(Text(std::numeric_limits<float>::max()), "3.4028235e+38");
  EXPECT_EQ(Text(std::numeric_limits<float>::denorm_min()), "1e-45");
  EXPECT_EQ(Text(std::numeric_limits<float>::min()), "1.1754944e-38");
}

TEST(FloatText, RandomBitPatternsRoundTrip) {
  std::mt19937 random(7);
  for (int i = 0; i < 2'000'000; ++i) CheckFloat(static_cast<std::uint32_t>(random()));
}

TEST(FloatText, SubnormalsAndPowersOfTwoRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x800000U; bits += 31) CheckFloat(bits);
  for (std::uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (int step = -2; step <= 2; ++step) CheckFloat((exponent << 23) + static_cast<std::uint32_t>(step));
  }
}

TEST(FloatText, DoublesRoundTrip) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 200'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    char out[kMaxDoubleText];
    const char* end = WriteDouble(value, out);
    double back = 0;
    const char* next = nullptr;
    ASSERT_EQ(ReadDouble(out, end, &back, &next), NumberResult::kOk);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(value))
        << std::string(static_cast<const char*>(out), end);
  }
}

// Numbers that no writer here makes: many digits, whole parts, exponents, half-way cases.
TEST(FloatText, ReadsWhatTheLibraryReads) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 300'000; ++i) {
    std::string text = std::to_string(random() >> (random() % 64));
    if (i % 3 == 0) text += std::to_string(random());
    text.insert(1 + random() % text.size(), ".");
    if (text.back() == '.') text += '5';
    if (text[0] == '0' && text[1] != '.') text.erase(0, 1);
    if (i % 2 == 0) text += "e" + std::to_string(static_cast<int>(random() % 90) - 60);
    float want = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), want).ec != std::errc()) continue;
    if (text[0] == '0' && text[1] != '.') continue;
    float got = -1;
    const char* next = nullptr;
    ASSERT_EQ(ReadFloat(text.data(), text.data() + text.size(), &got, &next), NumberResult::kOk) << text;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(want)) << text;
    const std::string padded = text + "]" + std::string(64, ' ');
    const FloatRun run = ReadFloatRun(padded.data(), padded.data() + padded.size(), &got, 1);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(want)) << text;
    ASSERT_EQ(run.closed, run.count == 1) << text;
  }
}

NumberResult Float(const std::string& text, float* value) {
  const char* next = nullptr;
  return ReadFloat(text.data(), text.data() + text.size(), value, &next);
}

TEST(FloatText, OverflowIsAnErrorAndUnderflowIsZero) {
  float value = 1;
  const std::string nines(400, '9');
  const std::string zeros(400, '0');
  for (const std::string& text :
       {std::string("3.5e38"), std::string("1e39"), std::string("-1e400"), nines, nines + ".5", "1" + zeros + ".0",
        std::string("1e999999999999"), "0." + zeros + "1e500", std::string("18446744073709551616e400")}) {
    EXPECT_EQ(Float(text, &value), NumberResult::kOutOfRange) << text;
  }
  for (const std::string& text :
       {std::string("1e-46"), std::string("1e-400"), "0." + zeros + "1", "1" + zeros + "e-900", "0e" + nines,
        std::string("0.0e99"), std::string("1e-999999999999"), "0." + zeros + "1e300"}) {
    value = 1;
    EXPECT_EQ(Float(text, &value), NumberResult::kOk) << text;
    EXPECT_EQ(value, 0.0F) << text;
  }
  EXPECT_EQ(Float("-1e-60", &value), NumberResult::kOk);
  EXPECT_TRUE(std::signbit(value));
  EXPECT_EQ(Float("3.4028235e38", &value), NumberResult::kOk);
  EXPECT_EQ(Float("3.40282356779733e38", &value), NumberResult::kOk);  // just below where rounding goes to infinity
  EXPECT_EQ(value, std::numeric_limits<float>::max());
}

TEST(FloatText, RefusesWhatIsNoJsonNumber) {
  float value = 0;
  for (const char* text :
       {"", "-", "+1", ".5", "1.", "01", "-01", "1.e5", "1e", "1e+", "e5", "NaN", "Infinity", "x", "- 1"}) {
    EXPECT_EQ(Float(text, &value), NumberResult::kNotANumber) << text;
  }
}

struct IntCase {
  std::string text;
  NumberResult result;
  std::int64_t value = 0;
};

TEST(FloatText, ReadsWholeNumbersExactly) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  const std::string zeros(60, '0');
  const IntCase cases[] = {
      {"0", NumberResult::kOk, 0},
      {"-0", NumberResult::kOk, 0},
      {"9007199254740993", NumberResult::kOk, 9007199254740993},
      {"9223372036854775807", NumberResult::kOk, kMax},
      {"-9223372036854775808", NumberResult::kOk, kMin},
      {"9223372036854775808", NumberResult::kOutOfRange},
      {"-9223372036854775809", NumberResult::kOutOfRange},
      {"18446744073709551616", NumberResult::kOutOfRange},
      {"9223372036854775807.0", NumberResult::kOk, kMax},
      {"-9223372036854775808.000", NumberResult::kOk, kMin},
      {"1.0", NumberResult::kOk, 1},
      {"1." + zeros, NumberResult::kOk, 1},
      {"1e3", NumberResult::kOk, 1000},
      {"1.5e1", NumberResult::kOk, 15},
      {"1200e-2", NumberResult::kOk, 12},
      {"10" + zeros + "e-60", NumberResult::kOk, 10},
      {"0.0e99999999999", NumberResult::kOk, 0},
      {"1e19", NumberResult::kOutOfRange},
      {"1" + zeros, NumberResult::kOutOfRange},
      {"1e99999999999", NumberResult::kOutOfRange},
      {"1.5", NumberResult::kNotWhole},
      {"1e-1", NumberResult::kNotWhole},
      {"0." + zeros + "1", NumberResult::kNotWhole},
      {"18446744073709551616e-30", NumberResult::kNotWhole},
      {"1e-99999999999", NumberResult::kNotWhole},
      {"abc", NumberResult::kNotANumber},
      {"00", NumberResult::kNotANumber},
  };
  for (const IntCase& each : cases) {
    std::int64_t value = 0;
    const char* next = nullptr;
    EXPECT_EQ(ReadInt64(each.text.data(), each.text.data() + each.text.size(), &value, &next), each.result)
        << each.text;
    EXPECT_EQ(value, each.value) << each.text;
  }
}

TEST(FloatText, RunsStopWhereSomethingElseStands) {
  float out[8];
  const std::string text = "1.5, -2,3e2,0.25 ,7,8]" + std::string(64, ' ');
  const FloatRun run = ReadFloatRun(text.data(), text.data() + text.size(), out, 8);
  EXPECT_EQ(run.count, 3U);
  EXPECT_FALSE(run.closed);
  EXPECT_EQ(std::string_view(run.next, 4), "0.25");
  EXPECT_EQ(out[0], 1.5F);
  EXPECT_EQ(out[1], -2.0F);
  EXPECT_EQ(out[2], 300.0F);
  EXPECT_EQ(ReadFloatRun(text.data(), text.data() + text.size(), out, 2).count, 2U);
  EXPECT_EQ(ReadFloatRun(text.data(), text.data() + 10, out, 8).count, 0U);  // too near the end for wide reads
}

}  // namespace
}  // namespace sconce::codec
