#include "torch/methods.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <utility>

#include "torch/failure.h"

namespace sconce::torch_engine {
namespace {

std::string ReturnType(const c10::FunctionSchema& schema) {
  const std::vector<c10::Argument>& returns = schema.returns();
  if (returns.size() == 1) return returns.front().type()->annotation_str();
  std::string list;
  for (const c10::Argument& each : returns) list += (list.empty() ? "" : ", ") + each.type()->annotation_str();
  return "Tuple[" + list + "]";
}

Method ReadMethod(const torch::jit::Method& method) {
  const c10::FunctionSchema& schema = method.function().getSchema();
  Method read;
  read.name = method.name();
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {  // 0 is self
    const c10::Argument& argument = schema.arguments()[i];
    read.arguments.push_back(
        {argument.name(), argument.type()->annotation_str(), argument.default_value().has_value()});
  }
  read.returns = ReturnType(schema);
  return read;
}

bool Before(const Method& a, const Method& b) {
  const bool forward = a.name == "forward";
  return forward != (b.name == "forward") ? forward : a.name < b.name;
}

}  // namespace

Result<std::vector<Method>> ReadMethods(const std::string& path) {
  try {
    const torch::jit::Module module = torch::jit::load(path, c10::Device(c10::kCPU));
    std::vector<Method> methods;
    for (const torch::jit::Method& method : module.get_methods()) methods.push_back(ReadMethod(method));
    std::ranges::sort(methods, Before);
    return methods;
  } catch (...) {
    return CurrentFailure(Code::kInvalidModel, path + ": not a TorchScript file that this libtorch reads");
  }
}

}  // namespace sconce::torch_engine
