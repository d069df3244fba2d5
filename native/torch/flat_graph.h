// forward() of a TorchScript module with everything it calls written out in one graph, so that it can be looked at
// whole: functions, methods, submodules behind an interface type, and what torch.jit.fork starts.
// Thread: pure; called on a loader thread.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <memory>

namespace sconce::torch_engine {

struct FlatGraph {
  std::shared_ptr<torch::jit::Graph> graph;  // a copy; only to be read, since it may no longer run
  bool whole = true;                         // false: some call stays whose code is not known before it runs
};

FlatGraph FlatForward(const torch::jit::Module& module);

}  // namespace sconce::torch_engine
