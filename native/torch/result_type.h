// What the type of forward()'s result says before the model has run.
// Thread: pure functions.
#pragma once

#include <ATen/core/jit_type.h>

#include <string>

namespace sconce::torch_engine {

struct ResultType {
  // It may hold numbers or text, which belong to a whole batch and to no sample of it.
  bool whole_batch = false;
  // List[Dict[str, Tensor]]: detectors answer so, with an entry per sample.
  bool may_list_samples = false;
  // Why no answer could be written; empty: one can.
  std::string refused;
};

ResultType ReadResultType(const c10::Type& type);

}  // namespace sconce::torch_engine
