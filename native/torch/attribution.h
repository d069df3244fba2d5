// The methods themselves: how much each element of a sample's inputs counts for one number of the model's answer.
// Equal to Captum's IntegratedGradients, Saliency and Occlusion for one sample at a time.
// Thread: on the thread that explains. Throws what libtorch throws, and Stopped.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "core/explain.h"
#include "core/status.h"

namespace sconce::torch_engine {

// Ends an explanation from within: nobody waits for it, or what was asked cannot be.
struct Stopped {
  Status status;
};

struct Subject {
  std::vector<at::Tensor> inputs;     // [1, …] each; what is attributed to
  std::vector<at::Tensor> baselines;  // of the same shapes
  // The explained number for `rows` variants of the sample: [rows] from inputs of [rows, …]. Looks at cancellation.
  std::function<at::Tensor(const std::vector<at::Tensor>& variants, std::int64_t rows)> score;
  std::int64_t max_rows = 1;  // of one call of `score`
};

struct Attribution {
  std::vector<at::Tensor> values;  // shaped like the inputs
  double score = 0;                // the explained number itself
  double delta = 0;                // integrated gradients: sum of values minus (score - the baseline's score)
};

Attribution Attribute(const Subject& subject, const ExplainSpec& spec);

}  // namespace sconce::torch_engine
