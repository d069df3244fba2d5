#include "core/executor.h"

#include <algorithm>
#include <cstdio>

namespace sconce {

namespace {

constexpr double kNsPerUs = 1000.0;

std::string Us(double us) {
  char text[32];
  std::snprintf(text, sizeof text, us < 10 ? "%.1f µs" : "%.0f µs", us);
  return text;
}

std::string Us(std::int64_t ns) { return Us(static_cast<double>(ns) / kNsPerUs); }

std::string Limit() { return "the limit of " + Us(kInlineMaxNs) + " for running on an HTTP thread"; }

}  // namespace

bool HasFreeDims(const Signature& signature) {
  return !signature.declared ||
         std::ranges::any_of(signature.inputs, [](const InputSpec& input) { return !input.shape.IsStatic(); });
}

bool ExecutorJudge::WorthAnotherLook(const ModelConfig& config) {
  const double limit_us = static_cast<double>(kInlineMaxNs) / kNsPerUs;
  return Decide(config).why == Why::kWarmSlow && config.warm_batch_p90_us < kDoubtful * limit_us;
}

ExecutorJudge::Start ExecutorJudge::Decide(const ModelConfig& config) {
  if (config.stateful) return {false, Why::kStateful};
  if (config.executor != ExecutorChoice::kAuto) return {config.executor == ExecutorChoice::kInline, Why::kPinned};
  if (HasFreeDims(config.signature)) return {false, Why::kFreeDims};
  if (config.inline_allowed) return {true, Why::kWarmFast};
  return {false, config.warm_batch_p90_us > 0 ? Why::kWarmSlow : Why::kProbation};
}

ExecutorJudge::ExecutorJudge(const ModelConfig& config)
    : warm_us_(config.warm_batch_p90_us),
      judged_(config.executor == ExecutorChoice::kAuto),
      inline_(Decide(config).inlined),
      probation_(Decide(config).why == Why::kProbation || WorthAnotherLook(config)),
      why_(Decide(config).why) {
  window_.reserve(kInlineProbation);
}

std::string ExecutorJudge::Reason() const {
  MutexLock lock(mutex_);
  const std::string batches = std::to_string(kInlineProbation) + " batches";
  switch (why_) {
    case Why::kPinned:
      return "set by the model's configuration";
    case Why::kStateful:
      return "a stateful model runs on one lane, in the order of arrival";
    case Why::kFreeDims:
      return "an input has a free dimension or none is declared, so nothing bounds what a batch costs";
    case Why::kWarmFast:
      return "the p90 of the largest batch was " + Us(warm_us_) + " at warm-up, under " + Limit();
    case Why::kWarmSlow:
      if (last_p90_ns_ >= 0)
        return "the p90 of the last " + batches + " was " + Us(last_p90_ns_) + ", not under " + Limit();
      return "the p90 of the largest batch was " + Us(warm_us_) + " at warm-up, not under " + Limit();
    case Why::kProbation:
      if (last_p90_ns_ < 0) return "no warm-up: until " + batches + " were measured it runs on a lane";
      return "no warm-up, and the p90 of the last " + batches + " was " + Us(last_p90_ns_) + ", not under " + Limit();
    case Why::kMeasured:
      return "the p90 of " + batches + " was " + Us(last_p90_ns_) + ", under " + Limit();
    case Why::kFellBack:
      return "moved from inline to a lane: the p90 of measured inline batches was " + Us(last_p90_ns_) + ", over " +
             Limit() + ", " + std::to_string(kStrikes) + " times in a row";
  }
  return {};
}

std::int64_t ExecutorJudge::AddSample(std::int64_t cpu_ns) {
  window_.push_back(cpu_ns);
  if (window_.size() < kInlineProbation) return -1;
  const auto p90 = window_.begin() + (kInlineProbation * 90 + 99) / 100 - 1;  // nearest rank
  std::nth_element(window_.begin(), p90, window_.end());
  const std::int64_t value = *p90;
  window_.clear();
  return value;
}

void ExecutorJudge::OnLaneBatch(std::int64_t cpu_ns) {
  MutexLock lock(mutex_);
  if (!MeasuresLane()) return;
  const std::int64_t p90_ns = AddSample(cpu_ns);
  if (p90_ns < 0) return;
  last_p90_ns_ = p90_ns;
  if (p90_ns >= kInlineMaxNs) return;
  why_ = Why::kMeasured;
  probation_.store(false, std::memory_order_relaxed);
  inline_.store(true, std::memory_order_relaxed);
}

bool ExecutorJudge::SamplesInline() {
  if (!judged_) return false;
  const std::uint64_t count = inline_batches_.fetch_add(1, std::memory_order_relaxed);
  if (count % kSampleEvery == 0) return true;
  return look_closer_.load(std::memory_order_relaxed) && look_closer_.exchange(false, std::memory_order_relaxed);
}

void ExecutorJudge::OnInlineWall(std::int64_t run_ns) {
  if (judged_ && run_ns > kInlineMaxNs) look_closer_.store(true, std::memory_order_relaxed);
}

void ExecutorJudge::OnInlineSample(std::int64_t cpu_ns) {
  MutexLock lock(mutex_);
  if (!Inline()) return;
  const std::int64_t p90_ns = AddSample(cpu_ns);
  if (p90_ns < 0) return;
  strikes_ = p90_ns > kInlineMaxNs ? strikes_ + 1 : 0;
  if (strikes_ < kStrikes) return;
  last_p90_ns_ = p90_ns;
  why_ = Why::kFellBack;
  inline_.store(false, std::memory_order_relaxed);
}

}  // namespace sconce
