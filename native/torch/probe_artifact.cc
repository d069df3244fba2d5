#include "torch/probe_artifact.h"

#include <filesystem>

#include "torch/aotinductor.h"
#include "torch/torchscript.h"

namespace sconce::torch_engine {

Status ProbeArtifact(const std::string& path, bool package) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {Code::kInvalidModel, path + ": no such file"};
  if (std::filesystem::is_regular_file(path, ignored) && std::filesystem::file_size(path, ignored) == 0) {
    return {Code::kInvalidModel, path + ": the file is empty"};
  }
  return package ? LoadAotInductor(path, 1).status() : LoadTorchScript(path).status();
}

}  // namespace sconce::torch_engine
