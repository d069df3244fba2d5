#include "torch/device_library.h"

#include <dlfcn.h>

namespace sconce::torch_engine {

Result<const DeviceLibrary*> LoadDeviceLibrary(const std::string& path) {
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* const why = dlerror();
    return Status(Code::kInternal, path + " does not load: " + (why != nullptr ? why : "no reason given"));
  }
  const auto entry = reinterpret_cast<DeviceLibraryEntry>(dlsym(handle, kDeviceLibraryEntry));
  if (entry == nullptr) {
    return Status(Code::kInternal, path + " is of another version of sconce (it has no " + kDeviceLibraryEntry +
                                       "): build it anew (npm run build:cuda)");
  }
  return entry();
}

}  // namespace sconce::torch_engine
