#include "torch/storages.h"

#include <ATen/core/ivalue.h>
#include <c10/core/CPUAllocator.h>
#include <caffe2/serialize/inline_container.h>
#include <malloc.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/serialization/import_read.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

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

using Look = std::function<Status(const at::Tensor&)>;

// Whatever can hold a tensor. `opaque`: it holds something that cannot be looked into.
Status InValue(const c10::IValue& value, const Look& look, bool* opaque = nullptr) {
  Status found;
  value.visit([&](const c10::IValue& each) {
    if (each.isTensor() && found.ok()) found = look(each.toTensor());
    if (each.isCapsule() && opaque) *opaque = true;
    return !found.ok();  // no further
  });
  return found;
}

// Lists and dicts of a type of their own are asked for by its annotation: "List[__torch__.torch.classes.…]". What is in
// them says by itself what it is.
c10::TypePtr ContainerCalled(const std::string& annotation) {
  if (annotation.starts_with("List[")) return c10::ListType::create(c10::AnyType::get());
  if (annotation.starts_with("Dict[")) return c10::DictType::create(c10::StringType::get(), c10::AnyType::get());
  return nullptr;
}

// The archives of the file as they were pickled: states are kept instead of given to the objects that they are of.
Status CheckPickles(const std::string& path) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  std::unordered_map<std::string, c10::ClassTypePtr> types;
  const auto resolve = [&](const c10::QualifiedName& name) {
    if (c10::TypePtr container = ContainerCalled(name.qualifiedName())) return c10::StrongTypePtr(unit, container);
    c10::ClassTypePtr& type = types[name.qualifiedName()];
    if (!type) {
      type = c10::ClassType::create(name, unit);
      type->addAttribute("state", c10::AnyType::get());
    }
    return c10::StrongTypePtr(unit, type);
  };
  const auto keep = [](const c10::StrongTypePtr& type, const c10::IValue& state) {
    auto object = c10::ivalue::Object::create(type, 1);
    object->setSlot(0, state);
    return object;
  };
  caffe2::serialize::PyTorchStreamReader reader(path);
  for (const char* archive : {"data", "constants"}) {
    if (!reader.hasRecord(std::string(archive) + ".pkl")) continue;
    const c10::IValue value =
        torch::jit::readArchiveAndTensors(archive, "", "", resolve, keep, c10::Device(c10::kCPU), reader);
    if (Status status = InValue(value, CheckStorage); !status.ok()) return status;
  }
  return Status::Ok();
}

Status InConstants(const torch::jit::Block& block, const Look& look) {
  for (const torch::jit::Node* node : block.nodes()) {
    for (const torch::jit::Block* inner : node->blocks()) {
      if (Status status = InConstants(*inner, look); !status.ok()) return status;
    }
    if (node->kind() != c10::prim::Constant || !node->hasAttribute(c10::attr::value)) continue;
    const torch::jit::AttributeKind kind = node->kindOf(c10::attr::value);
    Status status;
    if (kind == torch::jit::AttributeKind::t) status = look(node->t(c10::attr::value));
    if (kind == torch::jit::AttributeKind::ival) status = InValue(node->ival(c10::attr::value), look);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Status InFunction(torch::jit::Function& function, const Look& look) {
  const auto* graph = torch::jit::tryToGraphFunction(function);
  return graph ? InConstants(*graph->graph()->block(), look) : Status::Ok();
}

// Constants in methods of every submodule, and in what else of the file they call.
Status InCode(const torch::jit::Module& module, const Look& look) {
  for (torch::jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
    if (function == nullptr) continue;  // freezing removed it
    if (Status status = InFunction(*function, look); !status.ok()) return status;
  }
  return Status::Ok();
}

// Not those of the module's frozen forms, whose constants are its weights once more: they share a compilation unit.
Status InMethods(const torch::jit::Module& module, const Look& look) {
  for (const torch::jit::Module& each : module.modules()) {
    for (const torch::jit::Method& method : each.get_methods()) {
      if (Status status = InFunction(method.function(), look); !status.ok()) return status;
    }
  }
  return Status::Ok();
}

}  // namespace

Status CheckStorages(const torch::jit::Module& module, const std::string& path) {
  bool opaque = false;
  if (Status status = InValue(module._ivalue(), CheckStorage, &opaque); !status.ok()) return status;
  if (opaque) {
    if (Status status = CheckPickles(path); !status.ok()) return status;
  }
  return InCode(module, CheckStorage);
}

std::size_t StorageBytes(const torch::jit::Module& module) {
  std::size_t bytes = 0;
  std::unordered_set<const void*> seen;
  const Look add = [&](const at::Tensor& tensor) {
    if (tensor.defined() && tensor.has_storage() && seen.insert(tensor.storage().unsafeGetStorageImpl()).second) {
      bytes += tensor.storage().nbytes();
    }
    return Status::Ok();
  };
  static_cast<void>(InValue(module._ivalue(), add));
  static_cast<void>(InMethods(module, add));
  return bytes;
}

}  // namespace sconce::torch_engine
