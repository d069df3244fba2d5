#include "torch/flat_graph.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "torch/effects.h"
#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

constexpr const char* kBranch = "if bool((x > 100).any()):\n  return -x\nreturn x";

// A module whose forward(x) starts these lines and waits for them; `in_a_list`: the future goes through a list.
torch::jit::Module Forking(const std::string& lines, bool in_a_list) {
  const torch::jit::Module part = testing::ModuleOf(lines);
  torch::jit::Module module = testing::ModuleOf("return x");
  torch::jit::Graph& graph = *module.get_method("forward").graph();
  const torch::jit::WithInsertPoint here(graph.return_node());
  torch::jit::Node* const fork = graph.insertNode(graph.create(c10::prim::fork, graph.inputs(), 1));
  fork->g_(c10::attr::Subgraph, part.get_method("forward").graph()->copy());
  torch::jit::Value* future = fork->output()->setType(c10::FutureType::create(c10::TensorType::get()));
  if (in_a_list) {
    torch::jit::Node* const list = graph.insertNode(graph.createList(future->type(), {future}));
    const c10::TypePtr type = future->type();
    future = graph.insert(c10::aten::__getitem__, {list->output(), graph.insertConstant(0)})->setType(type);
  }
  torch::jit::Node* const wait = graph.insertNode(graph.create(c10::aten::wait, {future}, 1));
  graph.eraseOutput(0);
  graph.registerOutput(wait->output());
  return module;
}

TEST(FlatGraph, WhatAForkStartsIsPartOfTheCode) {
  for (const bool in_a_list : {false, true}) {
    EXPECT_TRUE(FlatForward(Forking(kBranch, in_a_list)).whole);
    EXPECT_TRUE(ReadEffects(Forking(kBranch, in_a_list)).reads_values);
    EXPECT_TRUE(ReadEffects(Forking("self.n.add_(1)\nreturn x", in_a_list)).keeps_state);
    EXPECT_FALSE(ReadEffects(Forking("return x * 2", in_a_list)).reads_values);
  }
}

// A module whose `part`, seen through an interface type, has forward(x) of these lines.
torch::jit::Module BehindInterface(const std::string& lines) {
  const torch::jit::Module part = testing::ModuleOf(lines);
  const c10::InterfaceTypePtr type = c10::InterfaceType::create("__torch__.Part", /*is_module=*/true);
  const c10::FunctionSchema& schema = part.get_method("forward").function().getSchema();
  type->addMethod(schema.cloneWithArguments({c10::Argument("self", type), schema.arguments()[1]}));
  torch::jit::Module module("outer");
  module.register_attribute("part", type, part._ivalue());
  module.define("def forward(self, x):\n  return self.part.forward(x)\n");
  module.eval();
  return module;
}

TEST(FlatGraph, WhatIsBehindAnInterfaceIsPartOfTheCode) {
  EXPECT_TRUE(FlatForward(BehindInterface(kBranch)).whole);
  EXPECT_TRUE(ReadEffects(BehindInterface(kBranch)).reads_values);
  EXPECT_TRUE(ReadEffects(BehindInterface("self.n.add_(1)\nreturn x")).keeps_state);
  const Effects harmless = ReadEffects(BehindInterface("return x * 2"));
  EXPECT_FALSE(harmless.reads_values);
  EXPECT_FALSE(harmless.keeps_state);
}

// The object could be any that has the interface: it is taken for one that does everything.
TEST(FlatGraph, ACallWhoseCodeIsNotKnownIsSaid) {
  const torch::jit::Module module = BehindInterface("return x * 2");
  torch::jit::Graph& graph = *module.get_method("forward").graph();
  torch::jit::Value* const given = graph.insertInput(2, "other");
  for (torch::jit::Node* node : graph.nodes()) {
    if (node->kind() != c10::prim::CallMethod) continue;
    given->setType(node->input(0)->type());
    node->replaceInput(0, given);
  }
  EXPECT_FALSE(FlatForward(module).whole);
  EXPECT_TRUE(ReadEffects(module).reads_values);
  EXPECT_TRUE(ReadEffects(module).keeps_state);
}

}  // namespace
}  // namespace sconce::torch_engine
