// TorchScript files and the forms a module can run in.
// Thread: everything here on a loader thread, except Executable::Call.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <memory>
#include <optional>
#include <string>

#include "torch/executable.h"

namespace sconce::torch_engine {

// What a form does to the weights once and to the floating inputs at every call.
struct Conversion {
  std::optional<c10::ScalarType> dtype;  // none: each keeps its own
  bool channels_last = false;            // four-dimensional tensors in that order, as most convolutions like them best
};

class TorchScript : public Executable {
 public:
  // The same weights and code with attributes of its own, so that warm-up does not change the state that is served.
  virtual std::unique_ptr<TorchScript> Copy() const = 0;

  // The file again, loaded onto another device: weights, attributes and constants of the code are there. Of the plain
  // form only. In the current stream.
  virtual Result<std::unique_ptr<TorchScript>> On(c10::Device where) const = 0;

  // torch::jit::freeze: attributes become constants, batch norm folds into convolutions.
  virtual Result<std::unique_ptr<TorchScript>> Frozen() const = 0;

  // The weights converted and then frozen; the inputs are converted at every call.
  virtual Result<std::unique_ptr<TorchScript>> Converted(const Conversion& conversion) const = 0;
  // Convolutions are much of the work: more than one weight has four dimensions, or one that is a fair share of them
  // all.
  virtual bool has_kernels() const = 0;

  // Frozen, then optimize_for_inference: oneDNN layouts and fusions.
  virtual Result<std::unique_ptr<TorchScript>> Optimised() const = 0;
};

// On the CPU, in eval mode. kInvalidModel names the file and what is wrong with it. Never throws.
Result<std::unique_ptr<TorchScript>> LoadTorchScript(const std::string& path);

}  // namespace sconce::torch_engine
