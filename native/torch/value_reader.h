// Whether a graph decides by the numbers of its inputs. A batch holds the numbers of several clients, so what one of
// them sent would change what another is answered.
// Thread: pure; called on a loader thread.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace sconce::torch_engine {

// Branches, loops or sizes depend on numbers of the inputs, or a summary of a whole tensor of them (its maximum,
// whether any is NaN) meets the samples again.
bool ReadsValues(const torch::jit::Graph& graph);

}  // namespace sconce::torch_engine
