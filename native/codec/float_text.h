// Decimal text <-> numbers at speed; exact in both directions.
// Thread: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sconce::codec {

inline constexpr int kMaxFloatText = 24;   // bytes WriteFloat may write
inline constexpr int kMaxDoubleText = 32;  // bytes WriteDouble may write

// Writes `value` (finite) with the fewest digits that read back to it, always with a point or an exponent so that every
// reader takes it for a float ("1.0", "2.5e-09"). Returns the end. Needs kMaxFloatText or kMaxDoubleText bytes.
char* WriteFloat(float value, char* out);
char* WriteDouble(double value, char* out);

enum class NumberResult : std::uint8_t {
  kOk,
  kNotANumber,  // the text is no JSON number (RFC 8259: no leading plus, no leading zeros, no bare point)
  kOutOfRange,  // a number that the type cannot hold; text below the smallest subnormal is 0, not this
  kNotWhole,    // ReadInt64: a number with a fraction
};

// A JSON number at `at`, rounded to nearest even. kOk: *next is set past it.
NumberResult ReadFloat(const char* at, const char* end, float* value, const char** next);
NumberResult ReadDouble(const char* at, const char* end, double* value, const char** next);

// A whole number, exact; a fraction or exponent is accepted where the value is whole (1.0, 1e3).
NumberResult ReadInt64(const char* at, const char* end, std::int64_t* value, const char** next);

// The fast path for long arrays: reads plain numbers, each followed by a comma (and at most one space) or by ']', into
// `out` while there are fewer than `room`. Stops before anything else; what it does not take, ReadFloat judges.
struct FloatRun {
  std::size_t count = 0;
  const char* next = nullptr;  // the start of the next element, or the ']'
  bool closed = false;         // next is at ']'
};
FloatRun ReadFloatRun(const char* at, const char* end, float* out, std::size_t room);

}  // namespace sconce::codec
