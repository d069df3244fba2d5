#include "torch/torchscript.h"

#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <optional>
#include <utility>

#include "torch/effects.h"
#include "torch/failure.h"
#include "torch/storages.h"

namespace sconce::torch_engine {
namespace {

using torch::jit::Module;

constexpr std::size_t kFairShare = 20;  // a twentieth

std::vector<Argument> ReadArguments(const c10::FunctionSchema& schema) {
  std::vector<Argument> arguments;
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {  // 0 is self
    const c10::Argument& theirs = schema.arguments()[i];
    Argument ours;
    ours.name = theirs.name();
    c10::TypePtr type = theirs.type();
    if (const auto optional = type->cast<c10::OptionalType>()) {
      ours.takes_none = true;
      type = optional->getElementType();
    }
    ours.tensor = type->isSubtypeOf(*c10::TensorType::get()) || type->kind() == c10::TypeKind::AnyType;
    ours.fallback = theirs.default_value();
    arguments.push_back(std::move(ours));
  }
  return arguments;
}

// In eval mode, with every tensor of the file there, constants of the code too: a module that is moved keeps those
// where they were.
Module LoadOn(const std::string& path, c10::Device where) {
  Module module = torch::jit::load(path, where);
  module.eval();
  return module;
}

at::Tensor Convert(const at::Tensor& tensor, const Conversion& to) {
  if (!tensor.defined() || !tensor.is_floating_point()) return tensor;
  const bool reorder = to.channels_last && tensor.dim() == 4;
  return tensor.to(to.dtype.value_or(tensor.scalar_type()), /*non_blocking=*/false, /*copy=*/false,
                   reorder ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Preserve);
}

std::string NameOf(const Conversion& conversion) {
  const char* const first = !conversion.dtype ? "frozen" : *conversion.dtype == at::kHalf ? "float16" : "bfloat16";
  return conversion.channels_last ? std::string(first) + ", channels last" : first;
}

// Integers among the weights stay: Module::to(dtype) would convert those too.
Module WithWeights(const Module& module, const Conversion& conversion) {
  Module copy = module.deepcopy();
  const c10::InferenceMode normal_tensors(false);
  for (const at::Tensor& parameter : copy.parameters()) parameter.set_data(Convert(parameter, conversion));
  for (const at::Tensor& buffer : copy.buffers()) buffer.set_data(Convert(buffer, conversion));
  return copy;
}

class Script final : public TorchScript {
 public:
  Script(Module module, std::string path, std::string form, std::size_t weights_bytes,
         std::optional<Conversion> conversion = {})
      : module_(std::move(module)),
        path_(std::move(path)),
        self_(module_._ivalue()),
        form_(std::move(form)),
        weights_bytes_(weights_bytes),
        conversion_(conversion) {
    const torch::jit::Method forward = module_.get_method("forward");
    function_ = &forward.function();
    arguments_ = ReadArguments(function_->getSchema());
    if (const auto& returns = function_->getSchema().returns(); returns.size() == 1) {
      result_ = ReadResultType(*returns.front().type());
    }
    effects_ = ReadEffects(module_);
  }

  void Begin(torch::jit::Stack& stack) const override {
    stack.clear();
    stack.emplace_back(self_);
  }

  // The arguments were matched with the schema when the plan was made; Function::run skips doing it per call.
  void Call(torch::jit::Stack& stack) const override {
    if (conversion_) {
      for (std::size_t i = 1; i < stack.size(); ++i) {  // 0 is self
        if (stack[i].isTensor()) stack[i] = Convert(stack[i].toTensor(), *conversion_);
      }
    }
    function_->run(stack);
  }

  const char* form() const override { return form_.c_str(); }
  std::size_t weights_bytes() const override { return weights_bytes_; }
  const std::vector<Argument>* arguments() const override { return &arguments_; }
  const ResultType& result() const override { return result_; }
  bool keeps_state() const override { return effects_.keeps_state; }
  bool reads_values() const override { return effects_.reads_values; }
  bool differentiates() const override { return effects_.differentiates; }
  bool reduced() const override { return conversion_ && conversion_->dtype; }
  bool has_kernels() const override {
    std::size_t kernels = 0;
    std::size_t bytes = 0;
    for (const at::Tensor& parameter : module_.parameters()) {
      if (parameter.dim() != 4) continue;
      ++kernels;
      bytes += parameter.nbytes();
    }
    // The one that cuts a picture into patches for a transformer is not worth another form.
    return kernels > 1 || (kernels == 1 && bytes * kFairShare >= weights_bytes_);
  }
  bool takes_copies() const override { return effects_.keeps_state || effects_.in_place; }

  std::unique_ptr<TorchScript> Copy() const override {
    return std::make_unique<Script>(module_.deepcopy(), path_, form_, weights_bytes_);
  }

  Result<std::unique_ptr<TorchScript>> On(c10::Device where) const override {
    try {
      // The file's storages were checked when it was loaded on the CPU.
      return std::unique_ptr<TorchScript>(std::make_unique<Script>(LoadOn(path_, where), path_, form_, weights_bytes_));
    } catch (...) {
      return CurrentFailure(Code::kInvalidModel, path_ + ": loading it on " + where.str() + " failed");
    }
  }

  Result<std::unique_ptr<TorchScript>> Frozen() const override {
    try {
      return std::unique_ptr<TorchScript>(
          std::make_unique<Script>(torch::jit::freeze(module_), path_, "frozen", weights_bytes_));
    } catch (...) {
      return CurrentFailure(Code::kInvalidModel, "freezing failed");
    }
  }

  Result<std::unique_ptr<TorchScript>> Converted(const Conversion& conversion) const override {
    try {
      Module converted = WithWeights(module_, conversion);
      const std::size_t bytes = StorageBytes(converted);
      return std::unique_ptr<TorchScript>(
          std::make_unique<Script>(torch::jit::freeze(converted), path_, NameOf(conversion), bytes, conversion));
    } catch (...) {
      return CurrentFailure(Code::kInvalidModel, "converting the weights failed");
    }
  }

  Result<std::unique_ptr<TorchScript>> Optimised() const override {
    try {
      Module frozen = torch::jit::freeze(module_);
      return std::unique_ptr<TorchScript>(
          std::make_unique<Script>(torch::jit::optimize_for_inference(frozen), path_, "optimised", weights_bytes_));
    } catch (...) {
      return CurrentFailure(Code::kInvalidModel, "optimising failed");
    }
  }

 private:
  Module module_;
  std::string path_;
  c10::IValue self_;
  std::string form_;
  std::size_t weights_bytes_;
  std::optional<Conversion> conversion_;
  torch::jit::Function* function_ = nullptr;
  std::vector<Argument> arguments_;
  ResultType result_;
  Effects effects_;
};

}  // namespace

Result<std::unique_ptr<TorchScript>> LoadTorchScript(const std::string& path) {
  try {
    Module module = LoadOn(path, c10::Device(c10::kCPU));
    if (const Status status = CheckStorages(module, path); !status.ok()) {
      return Status(status.code(), path + ": " + status.message());
    }
    if (!module.find_method("forward")) {
      return Status(Code::kInvalidModel, path + ": the TorchScript module has no forward()");
    }
    const std::size_t bytes = StorageBytes(module);
    return std::unique_ptr<TorchScript>(std::make_unique<Script>(std::move(module), path, "plain", bytes));
  } catch (...) {
    return CurrentFailure(Code::kInvalidModel, path + ": not a TorchScript file that this libtorch reads");
  }
}

}  // namespace sconce::torch_engine
