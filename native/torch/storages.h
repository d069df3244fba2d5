// Whether a module's tensors lie in memory that is there. libtorch believes the pickle about how large a storage is,
// and the archive about how long its record is; a file that says more in the one place than in the other would have the
// model read what lies behind, of whatever else this process holds. Thread: pure.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>

#include "core/status.h"

namespace sconce::torch_engine {

// Of a module fresh from its file at `path`, on the CPU: kInvalidModel names the first storage that is too short. The
// file is read again where the module has packed its weights into something opaque, as quantised ones do. Throws what
// libtorch throws.
Status CheckStorages(const torch::jit::Module& module, const std::string& path);

}  // namespace sconce::torch_engine
