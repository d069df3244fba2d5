// Decimal text -> number. The common case (few digits, a small power of ten) is one double operation; a float32 rounds
// from that double unless it lies next to a rounding boundary, where the exact library routine decides.
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "codec/float_text.h"

namespace sconce::codec {
namespace {

constexpr int kExactPow10 = 22;       // the largest power of ten that a double holds exactly
constexpr int kMantissaDigits = 19;   // any so many digits fit 64 bits
constexpr int kExponentCap = 100000;  // past what any type holds; keeps sums in range
constexpr std::array<double, kExactPow10 + 1> kPow10 = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
// 10^(i - kExactPow10), each within half a unit in the last place.
constexpr std::array<double, 2 * kExactPow10 + 1> kScale = [] {
  std::array<double, 2 * kExactPow10 + 1> scale{};
  for (int e = 0; e <= kExactPow10; ++e) {
    scale[static_cast<std::size_t>(kExactPow10 + e)] = kPow10[static_cast<std::size_t>(e)];
    scale[static_cast<std::size_t>(kExactPow10 - e)] = 1.0 / kPow10[static_cast<std::size_t>(e)];
  }
  return scale;
}();
constexpr std::array<std::uint64_t, 17> kIntPow10 = [] {
  std::array<std::uint64_t, 17> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

// 0-9, or more for anything that is no digit.
unsigned Digit(char c) { return static_cast<unsigned char>(c - '0'); }

constexpr std::uint64_t Repeat(unsigned byte) { return 0x0101010101010101ULL * byte; }

// Eight bytes with '0' taken off; the first character is the lowest byte.
std::uint64_t LoadDigits(const char* at) {
  std::uint64_t chunk;
  std::memcpy(&chunk, at, sizeof chunk);
  return chunk ^ Repeat('0');
}

// The high bit of every byte up to the first that is above 9 tells whether it is (a carry can spoil only later bytes).
std::uint64_t NotDigits(std::uint64_t digits) { return ((digits + Repeat(0x80 - 10)) | digits) & Repeat(0x80); }

// The value of eight digits, most significant in the lowest byte: neighbours are joined to 2, 4 and 8 digits.
std::uint64_t JoinDigits(std::uint64_t digits) {
  const std::uint64_t pairs = ((digits * (1 + (10U << 8))) >> 8) & 0x00FF00FF00FF00FFULL;
  const std::uint64_t quads = ((pairs * (1 + (100U << 16))) >> 16) & 0x0000FFFF0000FFFFULL;
  return (quads * (1 + (10000ULL << 32))) >> 32;
}

// Appends digits to the mantissa (which wraps past kMantissaDigits); returns past the last one.
const char* Digits(const char* at, const char* end, std::uint64_t* mantissa) {
  while (end - at >= 8) {
    const std::uint64_t digits = LoadDigits(at);
    if (NotDigits(digits) != 0) break;
    *mantissa = *mantissa * 100000000 + JoinDigits(digits);
    at += 8;
  }
  while (at != end && Digit(*at) <= 9) *mantissa = *mantissa * 10 + Digit(*at++);
  return at;
}

struct Scanned {
  std::uint64_t mantissa = 0;
  int exponent = 0;  // of ten
  bool negative = false;
  bool exact = true;          // all digits are in the mantissa
  const char* end = nullptr;  // null: not a number
};

const char* Exponent(const char* at, const char* end, int* exponent) {
  ++at;
  bool negative = false;
  if (at != end && (*at == '+' || *at == '-')) negative = *at++ == '-';
  if (at == end || Digit(*at) > 9) return nullptr;
  int value = 0;
  for (; at != end && Digit(*at) <= 9; ++at) {
    if (value < 10 * kExponentCap) value = value * 10 + static_cast<int>(Digit(*at));
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
  if (at == end || Digit(*at) > 9) return s;
  const char* first = at;
  at = Digits(at, end, &s.mantissa);
  if (*first == '0' && at - first > 1) return s;
  std::ptrdiff_t digits = at - first;
  if (at != end && *at == '.') {
    const char* fraction = ++at;
    at = Digits(at, end, &s.mantissa);
    if (at == fraction) return s;
    digits += at - fraction;
    s.exponent = at - fraction > kExponentCap ? -kExponentCap : static_cast<int>(fraction - at);
  }
  s.exact = digits <= kMantissaDigits;
  if (at != end && (*at == 'e' || *at == 'E')) at = Exponent(at, end, &s.exponent);
  s.end = at;
  return s;
}

// value × 10^exponent with no factor of ten left in value, from the whole text of a number, however long.
struct Normal {
  std::uint64_t value = 0;
  std::int64_t exponent = 0;
  int digits = 0;  // significant ones; over kMantissaDigits: value holds only some
  bool zero() const { return digits == 0; }
};

Normal Normalise(const char* at, const char* end) {
  Normal n;
  std::int64_t zeros = 0;  // zeros seen since the last other digit
  bool fraction = false;
  for (; at != end && *at != 'e' && *at != 'E'; ++at) {
    if (*at == '.') fraction = true;
    if (Digit(*at) > 9) continue;
    n.exponent -= fraction;
    if (*at == '0') {
      zeros += !n.zero();
      continue;
    }
    if (n.digits + zeros < kMantissaDigits) {
      n.value = n.value * kIntPow10[static_cast<std::size_t>(std::min<std::int64_t>(zeros, 16))] *
                    (zeros > 16 ? kIntPow10[static_cast<std::size_t>(zeros - 16)] : 1) * 10 +
                Digit(*at);
      n.digits += static_cast<int>(zeros) + 1;
    } else {
      n.digits = kMantissaDigits + 1;
    }
    zeros = 0;
  }
  n.exponent += zeros;
  int written = 0;
  if (at != end) Exponent(at, end, &written);
  n.exponent += written;
  return n;
}

// Whether the number is 1 or more; tells overflow from underflow, which the library reports alike.
bool AtLeastOne(const char* at, const char* end) {
  bool fraction = false;
  bool nonzero = false;
  std::int64_t point = 0;  // decimal places of the first significant digit: 1 for units, 0 for tenths
  for (; at != end && *at != 'e' && *at != 'E'; ++at) {
    if (*at == '.') fraction = true;
    if (Digit(*at) > 9) continue;
    nonzero = nonzero || *at != '0';
    if (!fraction) point += nonzero;
    if (fraction && !nonzero) --point;
  }
  int written = 0;
  if (at != end) Exponent(at, end, &written);
  return nonzero && point + written > 0;
}

bool FastDouble(const Scanned& s, double* value) {
  if (!s.exact || s.mantissa > (1ULL << 53) || s.exponent < -kExactPow10 || s.exponent > kExactPow10) return false;
  const auto m = static_cast<double>(s.mantissa);
  const double v = s.exponent < 0 ? m / kPow10[static_cast<std::size_t>(-s.exponent)]
                                  : m * kPow10[static_cast<std::size_t>(s.exponent)];
  *value = s.negative ? -v : v;
  return true;
}

template <typename T>
NumberResult Exact(const char* at, const char* end, T* value) {
  const auto result = std::from_chars(at, end, *value);
  if (result.ec == std::errc() && std::isfinite(*value)) return NumberResult::kOk;
  if (AtLeastOne(at, end)) return NumberResult::kOutOfRange;
  *value = *at == '-' ? -T{0} : T{0};
  return NumberResult::kOk;
}

// Where a double lies between two floats is in its 29 lowest bits. Only within its own error of the half-way point
// could rounding twice differ from rounding once.
bool RoundsSafely(double wide, std::uint32_t error) {
  constexpr std::uint32_t kHalfWay = 0x10000000U;
  const auto low = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(wide) & (2 * kHalfWay - 1));
  return low - (kHalfWay - error) > 2 * error;
}

// A run's number: at most 8 digits before the point, 15 after it, and a power of ten of two digits.
// Reads up to kRunSlack bytes. Returns past it, or null when it is not of this form.
constexpr std::ptrdiff_t kRunSlack = 40;

const char* PlainExponent(const char* at, int* exponent) {
  ++at;
  const bool negative = *at == '-';
  at += negative || *at == '+';
  if (Digit(*at) > 9) return nullptr;
  int value = static_cast<int>(Digit(*at++));
  if (Digit(*at) <= 9) value = value * 10 + static_cast<int>(Digit(*at++));
  *exponent += negative ? -value : value;
  return at;
}

// The digits after a point, up to 15 at once, without a branch on how many there are.
const char* PlainFraction(const char* at, std::uint64_t* mantissa, int* count) {
  __extension__ using Wide = unsigned __int128;
  const std::uint64_t low = LoadDigits(at);
  const std::uint64_t high = LoadDigits(at + 8);
  const std::uint64_t stop_low = NotDigits(low);
  const std::uint64_t stop_high = NotDigits(high) | (1ULL << 63);
  const int digits = (stop_low != 0 ? std::countr_zero(stop_low) : 64 + std::countr_zero(stop_high)) / 8;
  if (digits == 0) return nullptr;
  const Wide moved = ((static_cast<Wide>(high) << 64) | low) << (128 - 8 * digits);
  const std::uint64_t value =
      JoinDigits(static_cast<std::uint64_t>(moved)) * 100000000 + JoinDigits(static_cast<std::uint64_t>(moved >> 64));
  *mantissa = *mantissa * kIntPow10[static_cast<std::size_t>(digits)] + value;
  *count = digits;
  return at + digits;
}

const char* PlainFloat(const char* at, float* value) {
  const bool negative = *at == '-';
  at += negative;
  std::uint64_t mantissa = Digit(*at++);
  if (mantissa > 9) return nullptr;
  int whole = 1;
  if (mantissa != 0) {
    for (; Digit(*at) <= 9; ++at, ++whole) {
      if (whole == 8) return nullptr;
      mantissa = mantissa * 10 + Digit(*at);
    }
  }
  int exponent = 0;
  if (*at == '.') {
    int count = 0;
    at = PlainFraction(at + 1, &mantissa, &count);
    if (at == nullptr || whole + count > kMantissaDigits - 1) return nullptr;
    exponent = -count;
  }
  if ((*at | 0x20) == 'e') {
    at = PlainExponent(at, &exponent);
    if (at == nullptr || exponent < -kExactPow10 || exponent > kExactPow10) return nullptr;
  }
  if (mantissa > (1ULL << 53)) return nullptr;
  // Two roundings, the scale's and the product's: within 2 units of the last place.
  const double wide = static_cast<double>(mantissa) * kScale[static_cast<std::size_t>(exponent + kExactPow10)];
  if (!RoundsSafely(wide, 4)) return nullptr;
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(wide));
  *value = std::bit_cast<float>(bits | (static_cast<std::uint32_t>(negative) << 31));
  return at;
}

}  // namespace

FloatRun ReadFloatRun(const char* at, const char* end, float* out, std::size_t room) {
  FloatRun run;
  run.next = at;
  while (run.count < room && end - run.next > kRunSlack) {
    float value;
    const char* after = PlainFloat(run.next, &value);
    if (after == nullptr || (*after != ',' && *after != ']')) break;
    std::memcpy(out + run.count++, &value, sizeof value);
    run.next = after;
    if (*after == ']') {
      run.closed = true;
      break;
    }
    run.next += 1 + (after[1] == ' ');
  }
  return run;
}

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
  // A fast double is 0 or between 1e-22 and 1e38: a normal float.
  if (FastDouble(s, &wide) && RoundsSafely(wide, 1)) {
    *value = static_cast<float>(wide);
    return NumberResult::kOk;
  }
  return Exact(at, s.end, value);
}

NumberResult ReadInt64(const char* at, const char* end, std::int64_t* value, const char** next) {
  const Scanned s = Scan(at, end);
  if (s.end == nullptr) return NumberResult::kNotANumber;
  *next = s.end;
  std::uint64_t magnitude = s.mantissa;
  if (!s.exact || s.exponent != 0) {
    const Normal n = Normalise(at, s.end);
    if (!n.zero() && n.exponent < 0) return NumberResult::kNotWhole;
    if (n.digits > kMantissaDigits || (!n.zero() && n.exponent > kMantissaDigits)) return NumberResult::kOutOfRange;
    magnitude = n.value;
    for (std::int64_t e = 0; e < n.exponent && magnitude != 0; ++e) {
      if (__builtin_mul_overflow(magnitude, std::uint64_t{10}, &magnitude)) return NumberResult::kOutOfRange;
    }
  }
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (magnitude > kMax + s.negative) return NumberResult::kOutOfRange;
  *value = static_cast<std::int64_t>(s.negative ? 0 - magnitude : magnitude);
  return NumberResult::kOk;
}

}  // namespace sconce::codec
