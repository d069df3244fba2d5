// Which input becomes which argument of forward(). Made once per model (or once per set of sent names), then followed.
// Thread: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/signature.h"
#include "core/status.h"
#include "torch/executable.h"

namespace sconce::torch_engine {

struct ArgPlan {
  struct Slot {
    int input = -1;        // index of the input, -1: always `fallback`
    c10::IValue fallback;  // None or the argument's default, for an input that was not sent
  };
  std::vector<Slot> slots;  // one per argument, in order
};

// Whether requests can reach a model that declares no inputs: some argument is a tensor, and all others can do without
// an input. kInvalidModel says which cannot.
Status CheckReachable(const std::vector<Argument>& arguments);

// Declared inputs: by name when each name is one of forward's, else by position. kInvalidModel says what does not fit.
Result<ArgPlan> PlanDeclared(const std::vector<Argument>* arguments, const Signature& signature);

// Undeclared inputs: `names` (by name), or `count` inputs by position when it is empty. kBadRequest lists forward's
// arguments.
Result<ArgPlan> PlanSent(const std::vector<Argument>* arguments, std::span<const std::string> names, std::size_t count);

}  // namespace sconce::torch_engine
