#include "torch/arg_plan.h"

#include <algorithm>
#include <utility>

namespace sconce::torch_engine {
namespace {

std::string Quoted(const std::string& name) { return "'" + name + "'"; }

std::string ArgumentList(const std::vector<Argument>& arguments) {
  std::string list;
  for (const Argument& argument : arguments) list += (list.empty() ? "" : ", ") + argument.name;
  return "forward(" + list + ")";
}

int FindArgument(const std::vector<Argument>& arguments, const std::string& name) {
  const auto at = std::ranges::find(arguments, name, &Argument::name);
  return at == arguments.end() ? -1 : static_cast<int>(at - arguments.begin());
}

// The value of an argument that gets no input, if it can do without.
bool SetFallback(const Argument& argument, ArgPlan::Slot& slot) {
  if (argument.fallback) slot.fallback = *argument.fallback;
  return argument.fallback.has_value() || argument.takes_none;
}

ArgPlan Positional(std::size_t count) {
  ArgPlan plan;
  plan.slots.resize(count);
  for (std::size_t i = 0; i < count; ++i) plan.slots[i].input = static_cast<int>(i);
  return plan;
}

// targets[i] is the argument that input i goes to.
Result<ArgPlan> Assign(const std::vector<Argument>& arguments, std::span<const int> targets, Code code) {
  ArgPlan plan;
  plan.slots.resize(arguments.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    plan.slots[static_cast<std::size_t>(targets[i])].input = static_cast<int>(i);
  }
  for (std::size_t a = 0; a < arguments.size(); ++a) {
    const bool may_miss = SetFallback(arguments[a], plan.slots[a]);
    if (plan.slots[a].input < 0 && !may_miss) {
      return Status(code, "no input for argument " + Quoted(arguments[a].name) + " of " + ArgumentList(arguments));
    }
    if (plan.slots[a].input >= 0 && !arguments[a].tensor) {
      return Status(code, "argument " + Quoted(arguments[a].name) + " of " + ArgumentList(arguments) +
                              " is not a tensor; only tensors can be sent");
    }
  }
  return plan;
}

Status CheckOptionals(const std::vector<Argument>& arguments, const Signature& signature, const ArgPlan& plan) {
  for (std::size_t a = 0; a < arguments.size(); ++a) {
    const int input = plan.slots[a].input;
    if (input < 0 || !signature.inputs[static_cast<std::size_t>(input)].optional) continue;
    if (!arguments[a].fallback && !arguments[a].takes_none) {
      return {Code::kInvalidModel, "input " + Quoted(signature.inputs[static_cast<std::size_t>(input)].name) +
                                       " is declared optional, but forward() takes no None there and has no default"};
    }
  }
  return Status::Ok();
}

}  // namespace

Status CheckReachable(const std::vector<Argument>& arguments) {
  const auto unset = [](const Argument& argument) {
    return !argument.tensor && !argument.fallback && !argument.takes_none;
  };
  if (const auto found = std::ranges::find_if(arguments, unset); found != arguments.end()) {
    return {Code::kInvalidModel, "argument " + Quoted(found->name) + " of " + ArgumentList(arguments) +
                                     " is not a tensor and has no default; only tensors can be sent"};
  }
  if (std::ranges::any_of(arguments, &Argument::tensor)) return Status::Ok();
  return {Code::kInvalidModel, "the model is " + ArgumentList(arguments) +
                                   ", which takes no tensor: a request would have nothing to send and a batch no size; "
                                   "give it an argument that is a tensor"};
}

Result<ArgPlan> PlanDeclared(const std::vector<Argument>* arguments, const Signature& signature) {
  const std::size_t count = signature.inputs.size();
  if (arguments == nullptr) {
    for (const InputSpec& input : signature.inputs) {
      if (input.optional)
        return Status(Code::kInvalidModel,
                      "input " + Quoted(input.name) + ": a compiled package has no optional inputs");
    }
    return Positional(count);
  }
  if (count > arguments->size()) {
    return Status(
        Code::kInvalidModel,
        std::to_string(count) + " inputs are declared (sconce.inputs), but the model is " + ArgumentList(*arguments));
  }
  std::vector<int> targets(count);
  bool all_named = true;
  for (std::size_t i = 0; i < count; ++i) {
    targets[i] = FindArgument(*arguments, signature.inputs[i].name);
    all_named = all_named && targets[i] >= 0;
  }
  if (!all_named) {
    for (std::size_t i = 0; i < count; ++i) targets[i] = static_cast<int>(i);
  }
  Result<ArgPlan> plan = Assign(*arguments, targets, Code::kInvalidModel);
  if (!plan.ok()) return plan;
  if (Status status = CheckOptionals(*arguments, signature, *plan); !status.ok()) return status;
  return plan;
}

Result<ArgPlan> PlanSent(const std::vector<Argument>* arguments, std::span<const std::string> names,
                         std::size_t count) {
  if (arguments == nullptr) return Positional(count);
  std::vector<int> targets;
  for (std::size_t i = 0; i < count; ++i) {
    const int target = names.empty() ? static_cast<int>(i) : FindArgument(*arguments, names[i]);
    if (target < 0) {
      return Status(Code::kBadRequest,
                    "no argument is called " + Quoted(names[i]) + "; the model is " + ArgumentList(*arguments));
    }
    if (static_cast<std::size_t>(target) >= arguments->size()) {
      return Status(Code::kBadRequest,
                    std::to_string(count) + " inputs were sent; the model is " + ArgumentList(*arguments));
    }
    targets.push_back(target);
  }
  return Assign(*arguments, targets, Code::kBadRequest);
}

}  // namespace sconce::torch_engine
