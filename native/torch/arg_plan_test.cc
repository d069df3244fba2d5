#include "torch/arg_plan.h"

#include <gtest/gtest.h>

namespace sconce::torch_engine {
namespace {

Argument Tensor(const std::string& name) { return {name, true, false, std::nullopt}; }
Argument Optional(const std::string& name) { return {name, true, true, std::nullopt}; }

Signature Declare(std::initializer_list<const char*> names) {
  Signature signature;
  signature.declared = true;
  for (const char* name : names) signature.inputs.push_back({name, DType::kFloat32, {2}, false});
  return signature;
}

std::vector<int> Inputs(const ArgPlan& plan) {
  std::vector<int> inputs;
  for (const ArgPlan::Slot& slot : plan.slots) inputs.push_back(slot.input);
  return inputs;
}

TEST(PlanDeclared, ByNameWhenEveryNameIsAnArgument) {
  const std::vector<Argument> arguments = {Tensor("a"), Tensor("b"), Optional("c")};
  Result<ArgPlan> plan = PlanDeclared(&arguments, Declare({"b", "a"}));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(Inputs(*plan), (std::vector<int>{1, 0, -1}));
  EXPECT_TRUE(plan->slots[2].fallback.isNone());
}

TEST(PlanDeclared, ByPositionOtherwise) {
  const std::vector<Argument> arguments = {Tensor("a"), Tensor("b")};
  Result<ArgPlan> plan = PlanDeclared(&arguments, Declare({"b", "image"}));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(Inputs(*plan), (std::vector<int>{0, 1}));
}

TEST(PlanDeclared, RefusesWhatForwardCannotTake) {
  const std::vector<Argument> arguments = {Tensor("a"), {"scale", false, false, std::nullopt}};
  EXPECT_NE(PlanDeclared(&arguments, Declare({"a"})).status().message().find("'scale'"), std::string::npos);
  EXPECT_NE(PlanDeclared(&arguments, Declare({"a", "scale"})).status().message().find("not a tensor"),
            std::string::npos);
  Signature optional = Declare({"a"});
  optional.inputs[0].optional = true;
  const std::vector<Argument> one = {Tensor("a")};
  EXPECT_EQ(PlanDeclared(&one, optional).status().code(), Code::kInvalidModel);
  EXPECT_EQ(PlanDeclared(nullptr, optional).status().code(), Code::kInvalidModel);
}

TEST(CheckReachable, WantsATensorAndDefaultsForWhatIsNone) {
  const Argument number{"n", false, false, std::nullopt};
  const Argument fallback{"k", false, false, c10::IValue(3)};
  const Argument option{"o", false, true, std::nullopt};
  EXPECT_TRUE(CheckReachable({Tensor("a")}).ok());
  EXPECT_TRUE(CheckReachable({Optional("a"), fallback, option}).ok());
  EXPECT_NE(CheckReachable({}).message().find("forward(), which takes no tensor"), std::string::npos);
  EXPECT_NE(CheckReachable({fallback, option}).message().find("forward(k, o)"), std::string::npos);
  EXPECT_NE(CheckReachable({Tensor("a"), number}).message().find("'n' of forward(a, n)"), std::string::npos);
  EXPECT_EQ(CheckReachable({}).code(), Code::kInvalidModel);
}

TEST(PlanSent, NamesWhatIsUnknownOrMissing) {
  const std::vector<Argument> arguments = {Tensor("a"), Tensor("b")};
  const std::vector<std::string> wrong = {"a", "x"};
  const Result<ArgPlan> unknown = PlanSent(&arguments, wrong, 2);
  EXPECT_EQ(unknown.status().code(), Code::kBadRequest);
  EXPECT_NE(unknown.status().message().find("'x'"), std::string::npos);
  EXPECT_NE(PlanSent(&arguments, {}, 1).status().message().find("'b'"), std::string::npos);
  EXPECT_NE(PlanSent(&arguments, {}, 3).status().message().find("forward(a, b)"), std::string::npos);
}

}  // namespace
}  // namespace sconce::torch_engine
