#include "torch/loader.h"

#include <malloc.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <utility>

#include "core/clock.h"
#include "core/spread_runner.h"
#include "torch/aotinductor.h"
#include "torch/failure.h"
#include "torch/load_stream.h"
#include "torch/runner.h"
#include "torch/torchscript.h"
#include "torch/warmup.h"

namespace sconce::torch_engine {
namespace {

constexpr int kLanesOnDevice = 2;            // one gathers and copies while the other's batch is computed
constexpr double kWideLaneSeconds = 0.5e-3;  // below this all cores on one sample cost more than they give

class Phases {
 public:
  explicit Phases(const LoadSpec& spec) : spec_(spec), start_(MonotonicNs()) {}

  void Begin(const char* phase) {
    if (spec_.progress) spec_.progress(phase);
  }
  double Total() const { return static_cast<double>(MonotonicNs() - start_) * 1e-9; }

 private:
  const LoadSpec& spec_;
  std::int64_t start_;
};

Status Invalid(const LoadSpec& spec, const std::string& what) { return {Code::kInvalidModel, spec.path + ": " + what}; }

bool OnDevices(const LoadSpec& spec) { return !spec.devices.empty(); }

Status CheckSpec(const LoadSpec& spec) {
  std::error_code ignored;
  if (!std::filesystem::exists(spec.path, ignored)) return Invalid(spec, "no such file");
  const bool folder = std::filesystem::is_directory(spec.path, ignored);
  if (folder && spec.kind == ArtifactKind::kTorchScript) return Invalid(spec, "is a folder, not a TorchScript file");
  if (!folder && std::filesystem::file_size(spec.path, ignored) == 0) return Invalid(spec, "the file is empty");
  if (spec.kind == ArtifactKind::kAotInductor && !spec.signature.declared) {
    return Invalid(spec,
                   "a compiled package checks none of its inputs, so they must be declared (sconce.inputs in "
                   "model-config.yaml: name, dtype and shape of each)");
  }
  if (spec.kind == ArtifactKind::kAotInductor && spec.precision != Precision::kFloat32) {
    return Invalid(spec, "a compiled package runs in the types it was compiled with; leave sconce.precision out");
  }
  if (spec.batch_size && *spec.batch_size == 0) return Invalid(spec, "batchSize must be at least 1");
  for (const InputSpec& input : spec.signature.inputs) {
    if (input.name == "instances")
      return Invalid(spec, "an input cannot be called 'instances' (the name of the request field)");
  }
  if (OnDevices(spec) && spec.executor == ExecutorChoice::kInline) {
    return Invalid(spec,
                   "executor: inline runs on the CPU only; set deviceType: cpu, or leave the executor to the server");
  }
  return spec.image ? CheckTransform(*spec.image) : Status::Ok();
}

// What the image transform gives must be what the model declares.
Status CheckImageInput(const LoadSpec& spec) {
  if (!spec.image || !spec.signature.declared) return Status::Ok();
  const int side = std::max(spec.image->crop, 1);  // without a crop any size has to do
  const Shape shape{spec.image->channels, side, side};
  if (spec.signature.inputs.size() == 1 && shape.Matches(spec.signature.inputs[0].shape)) return Status::Ok();
  return Invalid(spec,
                 "its image transform gives " + shape.ToString() + ", its declared inputs do not take that alone");
}

int Instances(const LoadSpec& spec) {
  if (spec.instances > 0) return spec.instances;
  return OnDevices(spec) ? static_cast<int>(spec.devices.size()) : std::max(spec.cores, 1);
}

int NarrowLanes(const LoadSpec& spec) { return Instances(spec) * (OnDevices(spec) ? kLanesOnDevice : 1); }

Result<std::unique_ptr<Executable>> LoadPackage(const LoadSpec& spec, c10::Device where) {
  // One runner per thread that may call at once: lanes, the wide lane, loops that run inline, and one to spare.
  return LoadAotInductor(spec.path, NarrowLanes(spec) + 2 + std::max(spec.cores, 1), where);
}

Result<std::unique_ptr<Executable>> LoadArtifact(const LoadSpec& spec) {
  if (spec.kind == ArtifactKind::kAotInductor) {
    return LoadPackage(spec, OnDevices(spec) ? spec.devices[0]->tensors->where() : c10::Device(c10::kCPU));
  }
  Result<std::unique_ptr<TorchScript>> script = LoadTorchScript(spec.path);
  if (!script.ok()) return script.status();
  return std::unique_ptr<Executable>(std::move(*script));
}

std::vector<LaneSpec> Lanes(const LoadSpec& spec, const WarmupResult& warm, bool keeps_state) {
  const int cores = OnDevices(spec) ? 1 : std::max(spec.cores, 1);
  if (keeps_state) return {LaneSpec{cores, false}};
  std::vector<LaneSpec> lanes(static_cast<std::size_t>(NarrowLanes(spec)));
  const bool worth_it = !warm.ran || warm.single_seconds >= kWideLaneSeconds;
  if (cores > 1 && worth_it) lanes.push_back({cores, true});
  return lanes;
}

// What the model's code, or the configuration, makes of every run.
struct Nature {
  bool keeps_state = false;
  bool reads_values = false;
};

Nature NatureOf(const LoadSpec& spec, const Executable& executable) {
  return {.keeps_state = spec.stateful || executable.keeps_state(), .reads_values = executable.reads_values()};
}

bool HasFreeDimension(const Signature& signature) {
  return std::ranges::any_of(signature.inputs, [](const InputSpec& input) { return !input.shape.IsStatic(); });
}

ModelConfig MakeConfig(const LoadSpec& spec, const WarmupResult& warm, const Nature& nature) {
  const bool keeps_state = nature.keeps_state;
  ModelConfig config;
  config.name = spec.name;
  config.version = spec.version;
  config.signature = spec.signature;
  config.max_batch_rows = warm.batch;
  config.max_batch_delay_ns = spec.max_batch_delay_ns;
  config.executor = spec.executor;
  config.stateful = spec.stateful;
  config.one_lane = keeps_state;
  config.lanes = Lanes(spec, warm, keeps_state);
  if (OnDevices(spec) && !keeps_state) config.lanes_per_instance = kLanesOnDevice;
  config.warm_batch_p90_us = warm.largest_p90_us;
  // Sizes and loops that the inputs decide make a run as long as they like.
  const bool steady = !nature.reads_values && !HasFreeDimension(spec.signature);
  config.inline_allowed = warm.ran && warm.largest_p90_us > 0 && warm.largest_p90_us * 1e3 < kInlineMaxNs &&
                          !keeps_state && steady && !OnDevices(spec);
  // Two threads in code that changes its attributes would race; one lane is the only safe place.
  // A device is waited for, which no event loop can.
  if ((keeps_state || OnDevices(spec)) && config.executor == ExecutorChoice::kAuto) {
    config.executor = ExecutorChoice::kLane;
  }
  return config;
}

// Who explains this model's answers, or why nobody does.
void SetExplanations(const LoadSpec& spec, bool keeps_state, TorchRunner& runner) {
  if (spec.kind == ArtifactKind::kAotInductor) {
    runner.RefuseExplanations(
        "explanations need a TorchScript artifact: a compiled package (.pt2) has no gradients; export the model with "
        "torch.jit as well and register that for them");
  } else if (keeps_state) {
    runner.RefuseExplanations(
        "explanations need a model without state: this one changes its attributes or is stateful");
  } else {
    runner.AllowExplanations(spec.path, spec.cores);
  }
}

LoadReport MakeReport(const WarmupResult& warm, double seconds) {
  LoadReport report;
  report.form = warm.form;
  report.form_reason = warm.form_reason;
  report.batch_reason = warm.batch_reason;
  report.warmup_reason = warm.warmup_reason;
  report.outputs = warm.outputs;
  report.weights_bytes = warm.weights_bytes;
  report.load_seconds = seconds;
  report.warm_batch_p90_us = warm.largest_p90_us;
  return report;
}

// The artifact on a device of its own: the first one of a package is where it was loaded.
Result<std::unique_ptr<Executable>> MoveTo(const LoadSpec& spec, const OpenDevice& device,
                                           std::unique_ptr<Executable>& loaded) {
  const c10::Device where = device.tensors->where();
  if (spec.kind == ArtifactKind::kAotInductor) {
    if (loaded) return std::move(loaded);
    return LoadPackage(spec, where);
  }
  Result<std::unique_ptr<TorchScript>> moved =
      InLoadStream(device.tensors->device(), [&] { return static_cast<const TorchScript&>(*loaded).On(where); });
  if (!moved.ok()) return moved.status();
  return std::unique_ptr<Executable>(std::move(*moved));
}

std::size_t FreeBytes(const OpenDevice& device) {
  const Result<DeviceMemory> memory = device.tensors->device().Memory();
  return memory.ok() ? memory.value().free_bytes : 0;
}

// The model's weights and one runner on one device, warmed up there; `warm` is what that showed.
Result<SpreadRunner::Home> SettleOn(const LoadSpec& spec, const OpenDevice& device, RunnerOptions options,
                                    std::unique_ptr<Executable>& loaded, std::size_t weights_bytes,
                                    WarmupResult& warm) {
  Result<DeviceState::Share> memory = device.state->Reserve(spec.name + "/" + spec.version, weights_bytes);
  if (!memory.ok()) return memory.status();
  const std::size_t before = FreeBytes(device);
  Result<std::unique_ptr<Executable>> moved = MoveTo(spec, device, loaded);
  if (!moved.ok()) return moved.status();
  options.device = device.tensors.get();
  options.priority = spec.priority;
  Result<WarmupResult> shown = WarmUp(spec, options, *moved);
  if (!shown.ok()) return shown.status();
  const std::size_t after = FreeBytes(device);
  // What the weights and the largest batch took, as far as nobody else's memory changed meanwhile.
  if (before > after + weights_bytes) {
    if (Status status = memory->Change(before - after); !status.ok()) return status;
  }
  warm = std::move(*shown);
  auto runner = std::make_shared<TorchRunner>(std::move(*moved), std::move(options));
  runner->set_max_rows(warm.batch);
  SetExplanations(spec, NatureOf(spec, runner->executable()).keeps_state, *runner);
  const DeviceRunnerOptions figures{.max_rows = warm.batch, .priority = spec.priority};
  return SpreadRunner::Home{std::make_shared<DeviceRunner>(std::move(runner), device.state, figures),
                            std::move(*memory), device.row.index};
}

// What a model does while it is tried can lose the device for all of them: words of a failure need not tell, nor a load
// that ends well.
Result<SpreadRunner::Home> Settle(const LoadSpec& spec, const OpenDevice& device, const RunnerOptions& options,
                                  std::unique_ptr<Executable>& loaded, std::size_t weights_bytes, WarmupResult& warm) {
  Result<SpreadRunner::Home> home = SettleOn(spec, device, options, loaded, weights_bytes, warm);
  const Status health = device.tensors->device().Check();
  if (health.code() == Code::kDeviceLost) device.state->TakeOut(health.message());
  return device.state->in_service() ? std::move(home) : device.state->LostStatus();
}

// Once per device; a model that keeps state has one instance and so one device.
Result<Loaded> LoadOnDevices(const LoadSpec& spec, const RunnerOptions& options, std::unique_ptr<Executable> loaded,
                             Phases& phases) {
  const Nature nature = NatureOf(spec, *loaded);
  const std::size_t weights_bytes = loaded->weights_bytes();
  std::vector<SpreadRunner::Home> homes;
  std::optional<WarmupResult> first;
  for (const OpenDevice* device : std::span(spec.devices).first(nature.keeps_state ? 1 : spec.devices.size())) {
    WarmupResult warm;
    Result<SpreadRunner::Home> home = Settle(spec, *device, options, loaded, weights_bytes, warm);
    if (!home.ok()) return home.status();
    homes.push_back(std::move(*home));
    if (!first) first = std::move(warm);
    first->batch = std::min(first->batch, warm.ran ? warm.batch : first->batch);
  }
  ModelConfig config = MakeConfig(spec, *first, nature);
  auto runner = std::make_shared<SpreadRunner>(std::move(homes), config.lanes_per_instance);
  return Loaded{std::move(runner), std::move(config), MakeReport(*first, phases.Total())};
}

Result<Loaded> LoadChecked(const LoadSpec& spec) {
  Phases phases(spec);
  phases.Begin("load");
  Result<std::unique_ptr<Executable>> loaded = LoadArtifact(spec);
  if (!loaded.ok()) return loaded.status();
  std::unique_ptr<Executable> executable = std::move(*loaded);
  const Nature nature = NatureOf(spec, *executable);

  if (const std::string& refused = executable->result().refused; !refused.empty()) {
    return Invalid(spec, "forward() returns " + refused);
  }

  RunnerOptions options;
  options.signature = spec.signature;
  options.stateful = spec.stateful;
  if (spec.image) options.image.emplace(*spec.image);
  if (spec.signature.declared) {
    Result<ArgPlan> plan = PlanDeclared(executable->arguments(), spec.signature);
    if (!plan.ok()) return Status(plan.status().code(), spec.path + ": " + plan.status().message());
    options.plan = std::move(*plan);
  } else if (executable->arguments() != nullptr) {
    if (Status status = CheckReachable(*executable->arguments()); !status.ok()) {
      return Invalid(spec, status.message());
    }
  }
  phases.Begin("warm-up");
  if (OnDevices(spec)) return LoadOnDevices(spec, options, std::move(executable), phases);
  Result<WarmupResult> warm = WarmUp(spec, options, executable);
  if (!warm.ok()) return warm.status();

  auto runner = std::make_shared<TorchRunner>(std::move(executable), std::move(options));
  runner->set_max_rows(warm->batch);
  SetExplanations(spec, nature.keeps_state, *runner);
  malloc_trim(0);  // the forms that lost left their weights behind
  return Loaded{std::move(runner), MakeConfig(spec, *warm, nature), MakeReport(*warm, phases.Total())};
}

}  // namespace

Result<Loaded> Load(const LoadSpec& spec) {
  try {
    if (Status status = CheckSpec(spec); !status.ok()) return status;
    if (Status status = CheckImageInput(spec); !status.ok()) return status;
    return LoadChecked(spec);
  } catch (...) {
    return CurrentFailure(Code::kInvalidModel, spec.path + ": loading failed");
  }
}

}  // namespace sconce::torch_engine
