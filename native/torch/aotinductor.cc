#include "torch/aotinductor.h"

#include <ATen/core/List.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "torch/failure.h"

namespace sconce::torch_engine {
namespace {

using torch::inductor::AOTIModelPackageLoader;

// The constants live in the package's shared object; their size is that of the file, near enough.
std::size_t SizeOf(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return std::filesystem::file_size(path, ignored);
  std::size_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, ignored)) {
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

class Package final : public Executable {
 public:
  Package(std::unique_ptr<AOTIModelPackageLoader> loader, std::size_t bytes)
      : loader_(std::move(loader)), weights_bytes_(bytes) {}

  void Call(torch::jit::Stack& stack) const override {
    std::vector<at::Tensor> inputs;
    inputs.reserve(stack.size());
    for (c10::IValue& value : stack) inputs.push_back(std::move(value).toTensor());
    stack.clear();
    std::vector<at::Tensor> outputs = loader_->run(inputs);
    if (outputs.size() == 1) {
      stack.emplace_back(std::move(outputs.front()));
    } else {
      stack.emplace_back(std::move(outputs));
    }
  }

  const char* form() const override { return "aotinductor"; }
  std::size_t weights_bytes() const override { return weights_bytes_; }
  bool takes_copies() const override { return takes_copies_; }
  void give_copies() override { takes_copies_ = true; }

 private:
  std::unique_ptr<AOTIModelPackageLoader> loader_;
  std::size_t weights_bytes_;
  bool takes_copies_ = false;
};

}  // namespace

Result<std::unique_ptr<Executable>> LoadAotInductor(const std::string& path, int runners, c10::Device where) {
  try {
    auto loader = std::make_unique<AOTIModelPackageLoader>(path, "model", /*run_single_threaded=*/false,
                                                           static_cast<std::size_t>(runners), where.index());
    const auto metadata = loader->get_metadata();
    const auto device = metadata.find("AOTI_DEVICE_KEY");
    const std::string wanted = c10::DeviceTypeName(where.type(), /*lower_case=*/true);
    if (device != metadata.end() && device->second != wanted) {
      const char* const cure = wanted == "cpu" ? "it needs a GPU (deviceType: gpu)" : "set deviceType: cpu";
      return Status(Code::kInvalidModel, path + ": compiled for '" + device->second +
                                             "', and the model was to run on " + where.str() + "; " + cure);
    }
    return std::unique_ptr<Executable>(std::make_unique<Package>(std::move(loader), SizeOf(path)));
  } catch (...) {
    return CurrentFailure(Code::kInvalidModel, path + ": not an AOTInductor package that this libtorch and CPU run");
  }
}

}  // namespace sconce::torch_engine
