#include "torch/embedding_graph.h"

#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <string_view>
#include <unordered_set>

namespace sconce::torch_engine {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// What may stand between an argument and the embedding: the same ids in another dtype or view.
bool KeepsIds(const Node& node) {
  static const std::unordered_set<std::string_view> kOps = {
      "aten::to",         "aten::long",  "aten::int",    "aten::view",           "aten::reshape",
      "aten::contiguous", "aten::clone", "aten::detach", "prim::unchecked_cast",
  };
  return kOps.contains(node.kind().toQualString());
}

// The number of the graph's input that these ids are, self being 0; 0: they are none.
std::size_t InputOf(const Graph& graph, const Value* ids) {
  while (ids->node()->kind() != c10::prim::Param) {
    if (!KeepsIds(*ids->node())) return 0;
    ids = ids->node()->input(0);
  }
  for (std::size_t i = 1; i < graph.inputs().size(); ++i) {
    if (graph.inputs()[i] == ids) return i;
  }
  return 0;
}

struct Found {
  Node* node = nullptr;
  std::size_t input = 0;
};

Found FirstEmbedding(Graph& graph) {
  for (Node* node : graph.nodes()) {
    if (node->kind() != c10::Symbol::fromQualString("aten::embedding")) continue;
    if (const std::size_t input = InputOf(graph, node->input(1)); input > 0) return {node, input};
  }
  return {};
}

std::shared_ptr<Graph> Inlined(const torch::jit::Module& module) {
  // Without it only the outermost calls are inlined.
  const torch::jit::GraphOptimizerEnabledGuard optimise(true);
  std::shared_ptr<Graph> graph = module.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  return graph;
}

}  // namespace

std::optional<EmbeddingGraph> EmbeddingGraph::Find(const torch::jit::Module& module) {
  const std::shared_ptr<Graph> before = Inlined(module);
  const Found lookup = FirstEmbedding(*before);
  if (lookup.node == nullptr) return std::nullopt;
  while (!before->outputs().empty()) before->eraseOutput(before->outputs().size() - 1);
  before->registerOutput(lookup.node->output());
  torch::jit::EliminateDeadCode(before);

  const std::shared_ptr<Graph> after = Inlined(module);
  Node* const replaced = FirstEmbedding(*after).node;
  Value* const embedded = after->addInput("embedded");
  embedded->setType(replaced->output()->type());
  replaced->output()->replaceAllUsesWith(embedded);
  replaced->destroy();
  torch::jit::EliminateDeadCode(after);
  return EmbeddingGraph(lookup.input - 1, before, after);
}

at::Tensor EmbeddingGraph::Embed(torch::jit::Stack stack) {
  before_.run(stack);
  return stack.back().toTensor();
}

c10::IValue EmbeddingGraph::Run(torch::jit::Stack stack, const at::Tensor& embedded) {
  stack.emplace_back(embedded);
  after_.run(stack);
  return stack.back();
}

}  // namespace sconce::torch_engine
