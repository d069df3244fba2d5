// The memory of a module's tensors: whether it is there, and how much. libtorch believes the pickle about how large a
// storage is, and the archive about how long its record is; a file that says more in the one place than in the other
// would have the model read what lies behind, of whatever else this process holds. Thread: pure.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <cstddef>
#include <string>

#include "core/status.h"

namespace sconce::torch_engine {

// Of a module fresh from its file at `path`, on the CPU: kInvalidModel names the first storage that is too short. The
// file is read again where the module has packed its weights into something opaque, as quantised ones do. Throws what
// libtorch throws.
Status CheckStorages(const torch::jit::Module& module, const std::string& path);

// What the module holds: parameters, buffers, other attributes that are tensors, and constants of its code, which are
// all the weights of a module that was frozen before it was saved. Each storage once.
std::size_t StorageBytes(const torch::jit::Module& module);

}  // namespace sconce::torch_engine
