// Loading only, nothing run: what sconce-probe does with a file in its own process.
#pragma once

#include <string>

#include "core/status.h"

namespace sconce::torch_engine {

// kInvalidModel with the reason when the artifact does not load. `package`: an AOTInductor package.
Status ProbeArtifact(const std::string& path, bool package);

}  // namespace sconce::torch_engine
