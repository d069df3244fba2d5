// OutputFormat::kTensors: the leaves' bytes back to back, for handlers that want numbers instead of finished text.
// Thread: pure function.
#pragma once

#include <span>
#include <vector>

#include "core/task.h"

namespace sconce::torch_engine {

// Appends rows[r][leaf] in that order, each at a multiple of 8 bytes. Throws std::bad_alloc.
void EncodeTensors(std::span<const std::vector<TensorView>> rows, Buffer& answer, std::vector<LeafInfo>& leaves);

}  // namespace sconce::torch_engine
