// Which form of a TorchScript module serves: plain, frozen, optimised, frozen with its weights channels last, or one in
// a shorter floating type where the operator allows it. A form is a candidate only after its outputs were seen equal to
// the plain form's, in a shorter type as near as the operator asks; the fastest candidate wins a short measured trial.
// Thread: a loader thread.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "torch/loader.h"
#include "torch/runner.h"
#include "torch/samples.h"
#include "torch/torchscript.h"

namespace sconce::torch_engine {

inline constexpr double kFormTolerance = 1e-6;
inline constexpr double kFormTrialSeconds = 0.5;  // spent on rounds of timing, all forms together

struct FormChoice {
  std::unique_ptr<TorchScript> script;  // null: the plain one stays
  std::string form = "plain";
  std::string reason;
  // Its fastest run of one sample; infinity: not known.
  double single_seconds = std::numeric_limits<double>::infinity();
  // Its answers to the first samples, each alone.
  std::vector<Answer> singles;
};

struct FormSamples {
  const Signature& signature;  // what they were made from
  std::span<const TaskPtr> tasks;
  std::size_t rows;  // the batch that the trial uses beside single samples
};

// The plain form has run the samples before. kInvalidModel: no form in the precision that was asked for is near enough.
Result<FormChoice> ChooseForm(const TorchScript& plain, const LoadSpec& spec, const RunnerOptions& options,
                              const FormSamples& samples);

const char* NameOf(Precision precision);  // as the configuration calls it
bool IsRequired(Precision precision);     // that type or no model

}  // namespace sconce::torch_engine
