// AOTInductor packages (.pt2): code compiled for one kind of CPU or GPU that checks none of its inputs.
// Thread: LoadAotInductor on a loader thread; Executable::Call from as many threads as `runners` at once.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "torch/executable.h"

namespace sconce::torch_engine {

// `path` is a .pt2 file or an unpacked one, compiled for the kind of device that `where` is. kInvalidModel names it and
// the reason. Never throws. The first Call must return before a second starts: it folds constants.
Result<std::unique_ptr<Executable>> LoadAotInductor(const std::string& path, int runners,
                                                    c10::Device where = c10::Device(c10::kCPU));

}  // namespace sconce::torch_engine
