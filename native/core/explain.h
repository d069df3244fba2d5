// What a request for an explanation asks: which number of the model's answer, by which method, with what settings.
// Thread: values; immutable once their task is queued.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sconce {

// Numbers as in src/engine/engine.ts.
enum class ExplainMethod : std::uint8_t { kIntegratedGradients = 0, kSaliency = 1, kOcclusion = 2 };

// Where on the way from the baseline to the input gradients are taken, and what each weighs.
enum class IntegralRule : std::uint8_t {
  kGaussLegendre = 0,
  kRiemannLeft = 1,
  kRiemannRight = 2,
  kRiemannMiddle = 3,
  kRiemannTrapezoid = 4,
};

inline constexpr std::int64_t kMaxExplainSteps = 1000;  // of integrated gradients
inline constexpr std::int64_t kMaxExplainBatch = 64;    // samples in one run of the model
inline constexpr std::int64_t kDefaultExplainBatch = 8;
inline constexpr std::int64_t kMaxOcclusions = 20'000;  // places a window can be at in one input
inline constexpr std::size_t kMaxWaitingExplanations = 64;

struct ExplainSpec {
  ExplainMethod method = ExplainMethod::kIntegratedGradients;
  IntegralRule rule = IntegralRule::kGaussLegendre;
  std::int64_t steps = 50;
  std::vector<std::int64_t> target;           // index into one sample's output; empty: 0 in each dimension
  bool predicted = false;                     // the place of the highest number instead of `target`
  double baseline = 0;                        // every element of the input that means nothing
  std::int64_t batch = kDefaultExplainBatch;  // never more than the model's own batches
  std::array<std::int64_t, 2> window{0, 0};   // occlusion: height and width; 0: an eighth of the side
  std::array<std::int64_t, 2> stride{0, 0};   // 0: half the window
  bool detailed = false;                      // attributions with delta, score and target instead of them alone
};

// Why these settings make no sense, or "".
const char* WrongSetting(const ExplainSpec& spec);

}  // namespace sconce
