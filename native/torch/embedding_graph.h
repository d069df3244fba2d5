// A model's code cut in two at its first embedding: token ids have no gradient, the vectors made of them do.
// Thread: made and used by one thread at a time.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <cstddef>
#include <memory>
#include <optional>

namespace sconce::torch_engine {

class EmbeddingGraph {
 public:
  // Nothing where forward() looks up no argument of its own in an embedding, outside of branches and loops.
  static std::optional<EmbeddingGraph> Find(const torch::jit::Module& module);

  // The argument of forward() that is looked up, self left out.
  std::size_t argument() const { return argument_; }

  // `stack` holds the module and forward's arguments. The vectors of that argument.
  at::Tensor Embed(torch::jit::Stack stack);
  // Runs the model on these vectors instead of those it would look up.
  c10::IValue Run(torch::jit::Stack stack, const at::Tensor& embedded);

 private:
  EmbeddingGraph(std::size_t argument, const std::shared_ptr<torch::jit::Graph>& before,
                 const std::shared_ptr<torch::jit::Graph>& after)
      : argument_(argument), before_(before, "embed"), after_(after, "embedded") {}

  std::size_t argument_;
  torch::jit::GraphExecutor before_;
  torch::jit::GraphExecutor after_;
};

}  // namespace sconce::torch_engine
