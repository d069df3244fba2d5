// Decimal text -> number. The common case (at most 19 digits, a small power of ten) is one exact double operation; a
// float32 rounds from that double unless it lies next to a rounding boundary, where the exact library routine decides.
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "codec/float_text.h"

namespace sconce::codec {
namespace {

constexpr std::array<double, 23> kExactPow10 = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

struct Scanned {
  std::uint64_t mantissa = 0;
  int exponent = 0;  // of ten
  bool negative = false;
  bool exact = true;          // all digits are in the mantissa
  const char* end = nullptr;  // null: not a number
};

bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

bool EightDigits(std::uint64_t chunk) {
  return (((chunk & 0xF0F0F0F0F0F0F0F0ULL) | (((chunk + 0x0606060606060606ULL) & 0xF0F0F0F0F0F0F0F0ULL) >> 4)) ==
          0x3333333333333333ULL);
}

std::uint64_t ParseEight(std::uint64_t chunk) {
  chunk -= 0x3030303030303030ULL;
  chunk = chunk * 10 + (chunk >> 8);
  return (((chunk & 0x000000FF000000FFULL) * 0x000F424000000064ULL) +
          (((chunk >> 16) & 0x000000FF000000FFULL) * 0x0000271000000001ULL)) >>
         32;
}

// Appends digits to the mantissa; returns past the last digit.
const char* Digits(const char* at, const char* end, std::uint64_t* mantissa) {
  while (end - at >= 8) {
    std::uint64_t chunk;
    std::memcpy(&chunk, at, 8);
    if (!EightDigits(chunk)) break;
    *mantissa = *mantissa * 100000000 + ParseEight(chunk);
    at += 8;
  }
  while (at != end && IsDigit(*at)) *mantissa = *mantissa * 10 + static_cast<std::uint64_t>(*at++ - '0');
  return at;
}

const char* Exponent(const char* at, const char* end, int* exponent) {
  ++at;
  bool negative = false;
  if (at != end && (*at == '+' || *at == '-')) negative = *at++ == '-';
  if (at == end || !IsDigit(*at)) return nullptr;
  int value = 0;
  for (; at != end && IsDigit(*at); ++at) {
    if (value < 100000) value = value * 10 + (*at - '0');
  }
  *exponent += negative ? -value : value;
  return at;
}

Scanned Scan(const char* at, const char* end) {
  Scanned s;
  if (at != end && *at == '-') {
    s.negative = true;
    ++at;
  }
  if (at == end || !IsDigit(*at)) return s;
  const char* first = at;
  const char* last = Digits(at, end, &s.mantissa);
  if (*first == '0' && last - first > 1) return s;  // leading zero
  std::ptrdiff_t digits = last - first;
  at = last;
  if (at != end && *at == '.') {
    const char* fraction = ++at;
    at = Digits(at, end, &s.mantissa);
    if (at == fraction) return s;
    digits += at - fraction;
    s.exponent = fraction - at < -100000 ? -100000 : static_cast<int>(fraction - at);
  }
  s.exact = digits <= 19;
  if (at != end && (*at == 'e' || *at == 'E')) at = Exponent(at, end, &s.exponent);
  s.end = at;
  return s;
}

bool FastDouble(const Scanned& s, double* value) {
  if (!s.exact || s.mantissa > (1ULL << 53) || s.exponent < -22 || s.exponent > 22) return false;
  const auto m = static_cast<double>(s.mantissa);
  const double v = s.exponent < 0 ? m / kExactPow10[static_cast<std::size_t>(-s.exponent)]
                                  : m * kExactPow10[static_cast<std::size_t>(s.exponent)];
  *value = s.negative ? -v : v;
  return true;
}

template <typename T>
NumberResult Exact(const char* at, const char* end, T* value) {
  const auto result = std::from_chars(at, end, *value);
  if (result.ec == std::errc()) return std::isfinite(*value) ? NumberResult::kOk : NumberResult::kOutOfRange;
  // The library reports underflow and overflow alike; the magnitude tells them apart.
  double wide = 0;
  const auto again = std::from_chars(at, end, wide);
  if (again.ec == std::errc() && std::fabs(wide) < 1.0) {
    *value = std::copysign(static_cast<T>(wide), *at == '-' ? T{-1} : T{1});
    return NumberResult::kOk;
  }
  if (again.ec == std::errc()) return NumberResult::kOutOfRange;
  const Scanned s = Scan(at, end);
  if (s.mantissa == 0 || s.exponent < 0) {
    *value = s.negative ? T{-0.0} : T{0};
    return NumberResult::kOk;
  }
  return NumberResult::kOutOfRange;
}

}  // namespace

NumberResult ReadDouble(const char* at, const char* end, double* value, const char** next) {
  const Scanned s = Scan(at, end);
  if (s.end == nullptr) return NumberResult::kNotANumber;
  *next = s.end;
  if (FastDouble(s, value)) return NumberResult::kOk;
  return Exact(at, s.end, value);
}

NumberResult ReadFloat(const char* at, const char* end, float* value, const char** next) {
  const Scanned s = Scan(at, end);
  if (s.end == nullptr) return NumberResult::kNotANumber;
  *next = s.end;
  double wide;
  if (FastDouble(s, &wide)) {
    // The double is within half a unit of the text's value. Its 29 lowest bits say where it lies between two floats:
    // only next to the half-way point could rounding twice differ from rounding once.
    const auto low = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(wide) & 0x1FFFFFFFULL);
    const double magnitude = std::fabs(wide);
    if (low - 0x0FFFFFFFU > 2U && magnitude < 3.4e38 && (magnitude > 1.2e-38 || wide == 0)) {
      *value = static_cast<float>(wide);
      return NumberResult::kOk;
    }
  }
  return Exact(at, s.end, value);
}

NumberResult ReadInt64(const char* at, const char* end, std::int64_t* value, const char** next) {
  const Scanned s = Scan(at, end);
  if (s.end == nullptr) {
    *next = at;
    return NumberResult::kNotANumber;
  }
  *next = s.end;
  if (s.exponent == 0 || s.mantissa == 0) {
    if (s.exact && s.mantissa <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      const auto v = static_cast<std::int64_t>(s.mantissa);
      *value = s.negative ? -v : v;
      return NumberResult::kOk;
    }
    const auto result = std::from_chars(at, s.end, *value);
    return result.ec == std::errc() ? NumberResult::kOk : NumberResult::kOutOfRange;
  }
  if (!s.exact) return NumberResult::kOutOfRange;
  std::uint64_t m = s.mantissa;
  int e = s.exponent;
  for (; e < 0 && m % 10 == 0; ++e) m /= 10;
  if (e < 0) return NumberResult::kNotANumber;
  for (; e > 0; --e) {
    if (m > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 10) return NumberResult::kOutOfRange;
    m *= 10;
  }
  if (m > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return NumberResult::kOutOfRange;
  *value = s.negative ? -static_cast<std::int64_t>(m) : static_cast<std::int64_t>(m);
  return NumberResult::kOk;
}

}  // namespace sconce::codec
