// What a TorchScript file offers: its methods with their argument and return types, for people who ask what an archive
// holds. Nothing runs.
// Thread: any; reads the file once more.
#pragma once

#include <string>
#include <vector>

#include "core/status.h"

namespace sconce::torch_engine {

struct MethodArgument {
  std::string name;
  std::string type;  // as TorchScript writes it: "Tensor", "Optional[Tensor]", "List[int]"
  bool has_default = false;
};

struct Method {
  std::string name;
  std::vector<MethodArgument> arguments;  // self left out
  std::string returns;                    // one type; several as "Tuple[…]"
};

// The module's own methods, forward first, the others by name. kInvalidModel when the file does not load. Never throws.
Result<std::vector<Method>> ReadMethods(const std::string& path);

}  // namespace sconce::torch_engine
