// What the code of a TorchScript module does besides computing: read off its graph, nothing is run.
// Thread: pure; called on a loader thread.
#pragma once

#include <torch/csrc/jit/api/module.h>

namespace sconce::torch_engine {

struct Effects {
  bool keeps_state = false;     // assigns attributes, or writes into tensors, lists or dicts that the module holds
  bool in_place = false;        // writes into some tensor, list or dict: an input may be among them
  bool reads_values = false;    // branches, loops or sizes depend on numbers of the inputs, which are those of a batch
  bool differentiates = false;  // asks for gradients
};

// Of forward() and everything it calls.
Effects ReadEffects(const torch::jit::Module& module);

}  // namespace sconce::torch_engine
