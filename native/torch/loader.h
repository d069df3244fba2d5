// From an artifact on disk to a warmed-up Runner. The only way core and node reach libtorch.
// Thread: Load on a loader thread (it blocks for as long as the model takes); the Runner on executor threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model.h"
#include "core/runner.h"
#include "torch/devices.h"
#include "torch/image_transform.h"

namespace sconce::torch_engine {

// In what floating type a model runs. kAuto: bfloat16 where that is faster and near enough, as the samples of warm-up
// show.
enum class Precision : std::uint8_t { kFloat32, kBfloat16, kFloat16, kAuto };

enum class ArtifactKind : std::uint8_t { kTorchScript, kAotInductor };

struct LoadSpec {
  std::string path;  // .pt, .pt2, or an unpacked .pt2 folder
  ArtifactKind kind = ArtifactKind::kTorchScript;
  std::string name;
  std::string version;
  Signature signature;                      // declared or not
  std::optional<std::uint32_t> batch_size;  // as the operator said; nothing: chosen by warm-up
  std::int64_t max_batch_delay_ns = 0;
  std::optional<ImageTransform> image;
  std::string warmup_npy;  // path of a sample (.npy, first input) or empty
  Precision precision = Precision::kFloat32;
  double precision_tolerance = 0.02;  // largest |a-b| to float32's answers, as a share of the largest |b| of an output
  bool stateful = false;
  ExecutorChoice executor = ExecutorChoice::kAuto;
  int cores = 1;                                      // cores the lanes may use together
  int instances = 0;                                  // narrow lanes; 0: one per core or device
  std::vector<const OpenDevice*> devices;             // in the order of instances; empty: the CPU
  StreamPriority priority = StreamPriority::kNormal;  // on a device
  const std::atomic<bool>* cancelled = nullptr;       // polled between phases
  std::function<void(const char* phase)> progress;    // one begins: "load", "warm-up"
};

struct LoadReport {  // what describe shows
  std::string form;  // "plain", "frozen", "optimised", "bfloat16, channels last", …, "aotinductor"
  std::string form_reason;
  std::string batch_reason;   // why batch size is what it is
  std::string warmup_reason;  // why there was no warm-up, or "ok"
  std::vector<LeafInfo> outputs;
  std::size_t weights_bytes = 0;
  double load_seconds = 0;
  double warm_batch_p90_us = 0;  // largest batch; 0: no warm-up
};

struct Loaded {
  std::shared_ptr<Runner> runner;
  ModelConfig config;  // name, version, signature, batch, lanes, inline_allowed filled; the rest by the caller
  LoadReport report;
};

// Never throws. kInvalidModel names the file and the reason; kCancelled when the flag was raised; kOutOfMemory when a
// device has not the room for the weights or one sample; kDeviceLost.
Result<Loaded> Load(const LoadSpec& spec);

// Once per process, before the first Load: interop threads 1, checks the libtorch version against the one this was
// built with (kInternal with both versions and what to do when they differ).
Status Initialise();

struct BuildInfo {
  std::string built_against;  // "2.13.0"
  std::string running;        // torch_version of the loaded library
  bool cuda = false;
  std::string cpu_capability;  // "AVX2", "AVX512", …
  std::string parallel;        // ATen's own report
};
BuildInfo Info();

}  // namespace sconce::torch_engine
