#include "torch/storages.h"

#include <ATen/core/ivalue.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <string>

namespace sconce::torch_engine {
namespace {

Status CheckStorage(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage()) return Status::Ok();
  const c10::Storage& storage = tensor.storage();
  const std::size_t claimed = storage.nbytes();
  const void* data = storage.data();
  // Memory of any other origin (there is none in a file) says nothing of its size.
  if (data && storage.data_ptr().get_deleter() != c10::GetDefaultCPUAllocator()->raw_deleter()) return Status::Ok();
  const std::size_t there = data ? malloc_usable_size(const_cast<void*>(data)) : 0;
  if (claimed <= there) return Status::Ok();
  return {Code::kInvalidModel, "a tensor's storage is said to have " + std::to_string(claimed) +
                                   " bytes, and the file has about " + std::to_string(there) + " for it"};
}

Status CheckValue(const c10::IValue& value) {
  c10::IValue::HashAliasedIValues all;
  value.getSubValues(all);
  for (const c10::IValue& each : all) {
    if (!each.isTensor()) continue;
    if (Status status = CheckStorage(each.toTensor()); !status.ok()) return status;
  }
  return Status::Ok();
}

Status CheckConstants(const torch::jit::Block& block) {
  for (const torch::jit::Node* node : block.nodes()) {
    for (const torch::jit::Block* inner : node->blocks()) {
      if (Status status = CheckConstants(*inner); !status.ok()) return status;
    }
    if (node->kind() != c10::prim::Constant || !node->hasAttribute(c10::attr::value)) continue;
    const torch::jit::AttributeKind kind = node->kindOf(c10::attr::value);
    Status status;
    if (kind == torch::jit::AttributeKind::t) status = CheckStorage(node->t(c10::attr::value));
    if (kind == torch::jit::AttributeKind::ival) status = CheckValue(node->ival(c10::attr::value));
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace

Status CheckStorages(const torch::jit::Module& module) {
  if (Status status = CheckValue(module._ivalue()); !status.ok()) return status;
  for (const torch::jit::Module& each : module.modules()) {
    for (const torch::jit::Method& method : each.get_methods()) {
      const auto graph = method.graph()->copy();
      torch::jit::Inline(*graph);  // functions of the file that it calls have constants of their own
      if (Status status = CheckConstants(*graph->block()); !status.ok()) return status;
    }
  }
  return Status::Ok();
}

}  // namespace sconce::torch_engine
