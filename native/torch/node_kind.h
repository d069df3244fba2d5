// Operators of a TorchScript graph by name. Thread: pure.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <string_view>
#include <unordered_set>

namespace sconce::torch_engine {

using Ops = std::unordered_set<std::string_view>;

inline std::string_view KindOf(const torch::jit::Node& node) { return node.kind().toQualString(); }

}  // namespace sconce::torch_engine
