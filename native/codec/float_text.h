// float32 <-> decimal text at speed; exact in both directions.
// Thread: pure functions.
#pragma once

#include <cstdint>

namespace sconce::codec {

inline constexpr int kMaxFloatText = 24;   // bytes WriteFloat may write
inline constexpr int kMaxDoubleText = 32;  // bytes WriteDouble may write

// Writes the shortest text that reads back to `value` (finite), always with a point or an exponent ("1.0", "2.5e-09").
// Returns the end. Needs kMaxFloatText bytes.
char* WriteFloat(float value, char* out);
char* WriteDouble(double value, char* out);

enum class NumberResult : std::uint8_t { kOk, kNotANumber, kOutOfRange };

// A JSON number at `at` (RFC 8259 grammar, no leading plus or zeros) rounded to nearest even. *next is set past it.
NumberResult ReadFloat(const char* at, const char* end, float* value, const char** next);
NumberResult ReadDouble(const char* at, const char* end, double* value, const char** next);

// An integer written as a JSON number; a fraction or exponent is accepted when the value is integral (1.0, 1e3).
// kOutOfRange: integral but not an int64; kNotANumber with *next > at: a number that is not integral.
NumberResult ReadInt64(const char* at, const char* end, std::int64_t* value, const char** next);

}  // namespace sconce::codec
