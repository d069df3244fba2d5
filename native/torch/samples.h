// Requests for warm-up: distinct samples that fit the declared inputs, the same ones on every start.
// Thread: pure functions (MakeSamples reads one file); called on a loader thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/signature.h"
#include "core/task.h"

namespace sconce::torch_engine {

inline constexpr std::int64_t kFreeDimLength = 8;  // what -1 becomes in a generated sample

// `count` tasks of one row each, answered as OutputFormat::kTensors. Floats are normally distributed, integers 0 or 1,
// bools mixed. `npy` (may be empty) is a file whose samples become the first input; further ones are made from the
// first by changing its floats a little. kInvalidModel says what is wrong with that file.
Result<std::vector<TaskPtr>> MakeSamples(const Signature& signature, const std::string& npy, std::size_t count);

// Multiplies a sample's floats; false when it has none.
bool Scale(Task& sample, double factor);

// An answer in OutputFormat::kTensors, taken out of its task.
struct Answer {
  Buffer bytes;
  std::vector<LeafInfo> leaves;
};
Answer TakeAnswer(Task& task);

// Whether two answers are equal: same dtypes and shapes, whole numbers to the last bit, of floats |a-b| <= t*max|b| +
// t*|b| with t = `tolerance` (at least one step of a 16-bit float's own precision). `difference` says in words what is
// not; outputs are called by b's names, where it has some.
bool SameAnswer(const Answer& a, const Answer& b, double tolerance, std::string* difference);

// The largest |a-b| of each output as a share of its largest |b|; the worst of them, with `difference` saying in words
// where. Infinity when a shape or dtype differs, a whole number, what is not finite, or anything from an output of
// zeros.
double RelativeDifference(const Answer& a, const Answer& b, std::string* difference);

// Calls the outputs of all answers as those of the first one are called.
void NameAsTheFirst(std::vector<Answer>& answers);

}  // namespace sconce::torch_engine
