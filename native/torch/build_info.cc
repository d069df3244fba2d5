// Initialise and Info of loader.h: what libtorch this is, and whether it is the one that we were compiled against.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include <string>
#include <string_view>

#include "torch/failure.h"
#include "torch/loader.h"

namespace sconce::torch_engine {
namespace {

constexpr const char* kBuiltAgainst = TORCH_VERSION;

// The value of "KEY=value, " in libtorch's own list of build settings: the only version that the loaded library tells.
std::string BuildSetting(std::string_view config, std::string_view key) {
  const std::size_t at = config.find(key);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = config.substr(at + key.size());
  return std::string(rest.substr(0, rest.find_first_of(", \n")));
}

}  // namespace

BuildInfo Info() {
  BuildInfo info;
  const std::string config = at::show_config();
  info.built_against = kBuiltAgainst;
  info.running = BuildSetting(config, " TORCH_VERSION=");
  const std::string cuda = BuildSetting(config, " USE_CUDA=");
  info.cuda = cuda == "1" || cuda == "ON";
  info.cpu_capability = at::get_cpu_capability();
  info.parallel = at::get_parallel_info();
  return info;
}

Status Initialise() {
  try {
    const BuildInfo info = Info();
    if (info.running != info.built_against) {
      return {Code::kInternal, "sconce was built against libtorch " + info.built_against + ", the loaded library is " +
                                   (info.running.empty() ? "of an unknown version" : info.running) +
                                   ": build again (npm run build:native) or set LIBTORCH to the matching one"};
    }
    at::set_num_interop_threads(1);
    return Status::Ok();
  } catch (...) {
    return CurrentFailure(Code::kInternal, "libtorch could not be initialised");
  }
}

}  // namespace sconce::torch_engine
