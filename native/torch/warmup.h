// What is learned about a model before it serves: that it runs, in which form, how many rows fit a batch, how long the
// largest batch takes.
// Thread: a loader thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "torch/loader.h"
#include "torch/runner.h"

namespace sconce::torch_engine {

inline constexpr std::uint32_t kDefaultMaxBatch = 64;
inline constexpr double kBatchTolerance = 1e-5;          // a batch against single runs
inline constexpr double kDeviceTolerance = 1e-3;         // the same on a device: other kernels, TF32 in convolutions
inline constexpr double kMaxDefaultBatchSeconds = 0.25;  // a batch size nobody asked for stays below this
inline constexpr double kWarmupSeconds = 2.0;            // spent on the sizes of a warm-up, together

struct WarmupResult {
  bool ran = false;  // a sample went through
  std::uint32_t batch = 1;
  double single_seconds = 0;      // one sample, one intra-op thread
  double largest_p90_us = 0;      // 0: the largest batch was not run
  std::size_t weights_bytes = 0;  // of the form to serve
  std::string form = "plain";
  std::string form_reason;
  std::string batch_reason;
  std::string warmup_reason = "ok";
  std::vector<LeafInfo> outputs;  // of the first sample, without their bytes
};

// Takes the loaded artifact, gives it back in `executable` in the form to serve (the state of a model that keeps state
// is untouched). A model whose sample fails serves without warm-up. kCancelled; kInvalidModel: it cannot run in the
// precision that was asked for.
Result<WarmupResult> WarmUp(const LoadSpec& spec, const RunnerOptions& options,
                            std::unique_ptr<Executable>& executable);

}  // namespace sconce::torch_engine
