#include "torch/effects.h"

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "torch/flat_graph.h"
#include "torch/node_kind.h"
#include "torch/value_reader.h"

namespace sconce::torch_engine {
namespace {

using torch::jit::AliasDb;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// Its schema says so ("(a!)", as of aten::relu_, aten::append and the out= forms), or its name where it has none.
bool WritesInPlace(const Node& node) {
  if (const c10::FunctionSchema* schema = node.maybeSchema()) return schema->is_mutable();
  const std::string_view op = KindOf(node);
  return op.starts_with("aten::") && op.ends_with("_") && !op.ends_with("__");
}

bool Differentiates(const Node& node) {
  static const Ops kOps = {"aten::grad", "aten::backward", "aten::requires_grad_"};
  return kOps.contains(KindOf(node));
}

// Tensors, lists, dicts and what holds them. Of a submodule its own attributes are looked at.
bool MayBeWritten(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
    case c10::TypeKind::ListType:
    case c10::TypeKind::DictType:
    case c10::TypeKind::TupleType:
    case c10::TypeKind::OptionalType:
      return true;
    default:
      return false;
  }
}

// An attribute of the module, or what was taken out of a list or dict that is one, is written to. What is only computed
// from it, as by a convolution from its optional bias, may be.
bool WritesAttribute(const AliasDb& aliases, Node& node) {
  if (node.kind() != c10::prim::GetAttr || !MayBeWritten(*node.output()->type())) return false;
  Value* const attribute = node.output();
  if (aliases.hasWriters(attribute)) return true;
  if (attribute->type()->isSubtypeOf(*c10::TensorType::get())) return false;
  return std::ranges::any_of(attribute->uses(), [&](const torch::jit::Use& use) {
    return std::ranges::any_of(use.user->outputs(), [&](Value* taken) {
      return aliases.hasWriters(taken) && aliases.mayContainAlias(attribute, taken);
    });
  });
}

// An attribute of something that outlives the call. Objects that forward() makes, such as torch.autocast's, begin by
// being filled.
bool SetsAttribute(const Node& node) {
  return node.kind() == c10::prim::SetAttr && node.input(0)->node()->kind() != c10::prim::CreateObject;
}

// Served models are in eval mode: what only training would do (batch normalisation writes its averages) is no effect.
void SetEvalMode(Graph& graph, Block& block) {
  for (Node* node : block.nodes()) {
    for (Block* inner : node->blocks()) SetEvalMode(graph, *inner);
    if (node->kind() != c10::prim::GetAttr || node->s(c10::attr::name) != "training") continue;
    if (node->output()->type()->kind() != c10::TypeKind::BoolType) continue;
    const torch::jit::WithInsertPoint here(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(false));
  }
}

void Collect(const AliasDb& aliases, Block& block, Effects& effects) {
  for (Node* node : block.nodes()) {
    if (SetsAttribute(*node) || WritesAttribute(aliases, *node)) effects.keeps_state = true;
    if (WritesInPlace(*node)) effects.in_place = true;
    if (Differentiates(*node)) effects.differentiates = true;
    for (Block* inner : node->blocks()) Collect(aliases, *inner, effects);
  }
}

}  // namespace

Effects ReadEffects(const torch::jit::Module& module) {
  const FlatGraph flat = FlatForward(module);
  std::shared_ptr<Graph> graph = flat.graph;
  SetEvalMode(*graph, *graph->block());
  // Takes branches away that are never run. Of the variants of this pass, the one that makes no tensors.
  torch::jit::ConstantPropagationImmutableTypes(graph);
  Effects effects;
  // "Frozen": each attribute is taken for an object of its own, not for whatever else has its type, such as an input.
  Collect(AliasDb(graph, /*isFrozen=*/true), *graph->block(), effects);
  torch::jit::EliminateDeadCode(graph);  // what nothing depends on decides nothing
  effects.reads_values = !flat.whole || ReadsValues(*graph);
  effects.keeps_state = effects.keeps_state || !flat.whole;
  return effects;
}

}  // namespace sconce::torch_engine
