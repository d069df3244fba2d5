// Which form of a TorchScript module serves: plain, frozen or optimised. A form is a candidate only after its outputs
// were seen equal to the plain form's; the fastest candidate wins a short measured trial.
// Thread: a loader thread.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "torch/runner.h"
#include "torch/samples.h"
#include "torch/torchscript.h"

namespace sconce::torch_engine {

inline constexpr double kFormTolerance = 1e-6;
inline constexpr double kFormTrialSeconds = 1.0;  // spent on timing, all forms together

struct FormChoice {
  std::unique_ptr<TorchScript> script;  // null: the plain one stays
  std::string form = "plain";
  std::string reason;
};

// `rows` is the batch that the trial uses beside single samples; the plain form has run both before.
FormChoice ChooseForm(const TorchScript& plain, const RunnerOptions& options, std::span<const TaskPtr> samples,
                      std::size_t rows);

}  // namespace sconce::torch_engine
