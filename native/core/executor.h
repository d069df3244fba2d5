// Where one model's batches run, inline or on its lanes, and why: the operator's word, or what was measured.
//
// Auto starts from warm-up's figures. A model without a warm-up, or one that warm-up saw a little over the limit,
// starts on its lanes and goes inline once the p90 of kInlineProbation real batches is under kInlineMaxNs. An inline
// model whose batches later cost more, window after window, goes to its lanes and stays there. Costs are the thread's
// CPU time: a crowded machine makes every model slow by the clock, and sending tiny models to lanes then would make it
// worse. And p90: what a neighbour on the same core does to a few batches says nothing about the model. Thread: all
// methods from any thread; Inline() and the two gates are single relaxed loads.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/model.h"
#include "core/mutex.h"

namespace sconce {

// Whether a request may bring a batch of any size: an input has a free dimension, or none is declared.
bool HasFreeDims(const Signature& signature);

class ExecutorJudge {
 public:
  static constexpr std::uint64_t kSampleEvery = 64;  // inline batches per measured one
  static constexpr int kStrikes = 3;                 // windows in a row over the limit before inline ends
  static constexpr double kDoubtful = 4;  // times the limit: up to there warm-up's verdict is looked at again

  explicit ExecutorJudge(const ModelConfig& config);

  bool Inline() const { return inline_.load(std::memory_order_relaxed); }
  std::string Reason() const;

  // Lanes: whether batches are to be measured, and one's CPU cost, as if one thread had done it all.
  bool MeasuresLane() const { return probation_.load(std::memory_order_relaxed); }
  void OnLaneBatch(std::int64_t cpu_ns);

  // Inline: whether to measure the batch about to run. Wall time is free to take and says which to look at closer.
  bool SamplesInline();
  void OnInlineWall(std::int64_t run_ns);
  void OnInlineSample(std::int64_t cpu_ns);

 private:
  enum class Why : std::uint8_t {
    kPinned,
    kStateful,
    kFreeDims,
    kWarmFast,
    kWarmSlow,
    kProbation,
    kMeasured,
    kFellBack
  };
  struct Start {
    bool inlined;
    Why why;
  };
  static Start Decide(const ModelConfig& config);
  // Warm-up's figure is so near the limit that a busy machine may have made it.
  static bool WorthAnotherLook(const ModelConfig& config);
  // Adds a cost; when the window is full returns its p90 and starts the next, else -1.
  std::int64_t AddSample(std::int64_t cpu_ns) REQUIRES(mutex_);

  const double warm_us_;
  const bool judged_;  // auto: inline may end
  std::atomic<bool> inline_;
  std::atomic<bool> probation_;
  std::atomic<std::uint64_t> inline_batches_{0};
  std::atomic<bool> look_closer_{false};
  mutable Mutex mutex_;
  Why why_ GUARDED_BY(mutex_);
  std::vector<std::int64_t> window_ GUARDED_BY(mutex_);
  std::int64_t last_p90_ns_ GUARDED_BY(mutex_) = -1;
  int strikes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sconce
