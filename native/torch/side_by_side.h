// Times a form of a model as its lanes will run it: all at once. Lanes share caches, memory and, as hyperthreads, the
// units that multiply, and a form that is as fast as another one alone may need more of what is shared.
//
//   SideBySide lanes(samples);           // tasks of its own for each lane
//   lanes.Seconds(script, options, 4);   // CPU time of a batch of 4 on one lane, while the others run it as well
//
// Thread: a loader thread; the other lanes' threads live within Seconds().
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "torch/runner.h"
#include "torch/samples.h"
#include "torch/torchscript.h"

namespace sconce::torch_engine {

inline constexpr int kSideBySideRuns = 2;  // timed; the fastest counts

class SideBySide {
 public:
  explicit SideBySide(std::vector<std::vector<TaskPtr>> samples) : samples_(std::move(samples)) {}

  std::size_t lanes() const { return samples_.size(); }

  // Infinity: a run failed.
  double Seconds(const TorchScript& script, const RunnerOptions& options, std::size_t rows);

 private:
  std::vector<std::vector<TaskPtr>> samples_;  // of each lane
};

}  // namespace sconce::torch_engine
