#include "torch/flat_graph.h"

#include <torch/csrc/jit/passes/inliner.h>

#include <optional>
#include <string>
#include <vector>

namespace sconce::torch_engine {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;

void CollectNodes(Block& block, c10::Symbol kind, std::vector<Node*>& found) {
  for (Node* node : block.nodes()) {
    if (node->kind() == kind) found.push_back(node);
    for (Block* inner : node->blocks()) CollectNodes(*inner, kind, found);
  }
}

std::vector<Node*> NodesOf(Graph& graph, c10::Symbol kind) {
  std::vector<Node*> found;
  CollectNodes(*graph.block(), kind, found);
  return found;
}

bool BehindInterface(const Node& call) { return call.input(0)->type()->kind() == c10::TypeKind::InterfaceType; }

// The object that a chain of attributes leads to from the module itself.
std::optional<c10::IValue> ObjectAt(const Graph& graph, const Module& module, const Value& value) {
  if (&value == graph.inputs().at(0)) return module._ivalue();
  const Node* const node = value.node();
  if (node->kind() != c10::prim::GetAttr) return std::nullopt;
  const std::optional<c10::IValue> owner = ObjectAt(graph, module, *node->input(0));
  if (!owner || !owner->isObject()) return std::nullopt;
  return owner->toObject()->getAttr(node->s(c10::attr::name));
}

// Gives calls by an interface the class of the object that is there, so that its code can be written out. Whether any
// was found.
bool ResolveInterfaces(Graph& graph, const Module& module) {
  bool resolved = false;
  for (Node* call : NodesOf(graph, c10::prim::CallMethod)) {
    if (!BehindInterface(*call)) continue;
    const std::optional<c10::IValue> object = ObjectAt(graph, module, *call->input(0));
    if (!object || !object->isObject()) continue;
    call->input(0)->setType(object->type());
    resolved = true;
  }
  return resolved;
}

// What is started is done at once, and its future is its value; so is every wait for it.
bool InlineForks(Graph& graph) {
  const std::vector<Node*> forks = NodesOf(graph, c10::prim::fork);
  for (Node* fork : forks) {
    const torch::jit::WithInsertPoint here(fork);
    Value* const result = torch::jit::insertGraph(graph, *fork->g(c10::attr::Subgraph), fork->inputs()).at(0);
    std::vector<Node*> waits;
    for (const torch::jit::Use& use : fork->output()->uses()) {
      if (use.user->kind() == c10::aten::wait) waits.push_back(use.user);
    }
    for (Node* wait : waits) {
      wait->output()->replaceAllUsesWith(result);
      wait->destroy();
    }
    fork->output()->replaceAllUsesWith(result);
    fork->destroy();
  }
  return !forks.empty();
}

}  // namespace

FlatGraph FlatForward(const Module& module) {
  FlatGraph flat{.graph = module.get_method("forward").graph()->copy()};
  Graph& graph = *flat.graph;
  do {
    torch::jit::Inline(graph);
  } while (ResolveInterfaces(graph, module) || InlineForks(graph));
  for (const Node* call : NodesOf(graph, c10::prim::CallMethod)) flat.whole = flat.whole && !BehindInterface(*call);
  return flat;
}

}  // namespace sconce::torch_engine
