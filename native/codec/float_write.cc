// Shortest decimal text of a float32 by Schubfach: R. Giulietti, "The Schubfach way to render doubles" (2020), with the
// 32-bit parameters of its section 9; float64 goes through std::to_chars.
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "codec/float_text.h"
#include "codec/pow10_table.h"

namespace sconce::codec {
namespace {

struct Decimal {
  std::uint32_t digits;
  int exponent;  // value = digits × 10^exponent
};

// The upper bits of g × cp / 2^64, with a sticky lowest bit.
std::uint32_t RoundToOdd(std::uint64_t g, std::uint32_t cp) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(g) * cp;
  const auto high = static_cast<std::uint32_t>(product >> 64);
  const auto low = static_cast<std::uint32_t>(product >> 32);
  return high | static_cast<std::uint32_t>(low > 1);
}

Decimal Shortest(std::uint32_t fraction, std::uint32_t biased) {
  const std::uint32_t c = biased != 0 ? fraction | 0x800000U : fraction;
  const int q = (biased != 0 ? static_cast<int>(biased) : 1) - 150;
  const bool even = (c & 1U) == 0;
  const bool irregular = fraction == 0 && biased > 1;  // the gap below is half as wide

  // An integer below 2^24 is its own shortest digits.
  if (q <= 0 && q > -24 && (c & ((1U << -q) - 1U)) == 0) return {c >> -q, 0};

  const int k = (q * 1262611 - (irregular ? 524031 : 0)) >> 22;
  const int h = q + ((-k * 1741647) >> 19) + 1;
  const std::uint64_t g = kPow10[static_cast<std::size_t>(-k - kPow10Low)];
  const std::uint32_t cb = c * 4;
  const std::uint32_t lower = RoundToOdd(g, (cb - 2 + static_cast<std::uint32_t>(irregular)) << h) + !even;
  const std::uint32_t middle = RoundToOdd(g, cb << h);
  const std::uint32_t upper = RoundToOdd(g, (cb + 2) << h) - !even;

  const std::uint32_t s = middle / 4;
  if (s >= 10) {
    const std::uint32_t tens = s / 10;
    const bool down = lower <= 40 * tens;
    const bool up = 40 * tens + 40 <= upper;
    if (down != up) return {tens + static_cast<std::uint32_t>(up), k + 1};
  }
  const bool down = lower <= 4 * s;
  const bool up = 4 * s + 4 <= upper;
  if (down != up) return {s + static_cast<std::uint32_t>(up), k};
  const std::uint32_t half = 4 * s + 2;
  const bool round_up = middle > half || (middle == half && (s & 1U) != 0);
  return {s + static_cast<std::uint32_t>(round_up), k};
}

constexpr auto kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

void PutPair(std::uint32_t value, char* out) { std::memcpy(out, kPairs.data() + std::size_t{value} * 2, 2); }

int CountDigits(std::uint32_t v) {
  if (v < 10) return 1;
  if (v < 100) return 2;
  if (v < 1000) return 3;
  if (v < 10000) return 4;
  if (v < 100000) return 5;
  if (v < 1000000) return 6;
  if (v < 10000000) return 7;
  if (v < 100000000) return 8;
  return v < 1000000000 ? 9 : 10;
}

// Writes exactly `count` digits ending before out + count.
void PutDigits(std::uint32_t v, int count, char* out) {
  char* p = out + count;
  while (v >= 100) {
    p -= 2;
    PutPair(v % 100, p);
    v /= 100;
  }
  if (v >= 10) {
    PutPair(v, p - 2);
  } else {
    p[-1] = static_cast<char>('0' + v);
  }
}

char* PutExponent(int exponent, char* out) {
  *out++ = 'e';
  *out++ = exponent < 0 ? '-' : '+';
  const auto e = static_cast<std::uint32_t>(exponent < 0 ? -exponent : exponent);
  PutPair(e, out);
  return out + 2;
}

char* PutDecimal(Decimal d, char* out) {
  int count = CountDigits(d.digits);
  const int point = count + d.exponent;  // position of the decimal point from the first digit
  if (point > 0 && d.exponent < 0) {     // 12.34
    char digits[12];
    PutDigits(d.digits, count, digits);
    std::memcpy(out, digits, static_cast<std::size_t>(point));
    out[point] = '.';
    std::memcpy(out + point + 1, digits + point, static_cast<std::size_t>(count - point));
    return out + count + 1;
  }
  if (point <= 0 && point > -4) {  // 0.0012
    std::memcpy(out, "0.000", 5);
    out += 2 - point;
    PutDigits(d.digits, count, out);
    return out + count;
  }
  if (d.exponent >= 0 && point <= 16) {  // 12300.0
    PutDigits(d.digits, count, out);
    std::memset(out + count, '0', static_cast<std::size_t>(d.exponent));
    out += point;
    *out++ = '.';
    *out++ = '0';
    return out;
  }
  PutDigits(d.digits, count, out + 1);  // 1.23e-10
  out[0] = out[1];
  if (count == 1) return PutExponent(point - 1, out + 1);
  out[1] = '.';
  return PutExponent(point - 1, out + 1 + count);
}

}  // namespace

char* WriteFloat(float value, char* out) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits >> 31) != 0) *out++ = '-';
  const std::uint32_t fraction = bits & 0x7FFFFFU;
  const std::uint32_t biased = (bits >> 23) & 0xFFU;
  if (fraction == 0 && biased == 0) {
    std::memcpy(out, "0.0", 3);
    return out + 3;
  }
  Decimal d = Shortest(fraction, biased);
  while (d.digits % 10 == 0) {
    d.digits /= 10;
    ++d.exponent;
  }
  return PutDecimal(d, out);
}

char* WriteDouble(double value, char* out) {
  char* end = std::to_chars(out, out + kMaxDoubleText - 2, value).ptr;
  for (const char* p = out; p != end; ++p) {
    if (*p == '.' || *p == 'e') return end;
  }
  *end++ = '.';
  *end++ = '0';
  return end;
}

}  // namespace sconce::codec
