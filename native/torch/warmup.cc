#include "torch/warmup.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/clock.h"
#include "torch/collate.h"
#include "torch/forms.h"
#include "torch/load_stream.h"
#include "torch/trial.h"

namespace sconce::torch_engine {
namespace {

constexpr std::size_t kMaxSamples = 1024;
constexpr double kHeavySeconds = 0.02;       // a model whose single sample takes longer gets fewer repetitions
constexpr double kFirstRunsSeconds = 1.0;    // the executor's own work is in the first two, so more of them within this
constexpr double kFormBatchSeconds = 0.12;   // the batch that forms are compared on
constexpr std::uint32_t kMaxHeavyCheck = 4;  // rows a heavy model's batch is checked with
constexpr double kFarOut = 1000;             // how far beyond the others numbers are that must not matter to them

bool Cancelled(const LoadSpec& spec) { return spec.cancelled != nullptr && spec.cancelled->load(); }

// What samples look like: the declaration, or the image transform's output.
Signature SampleSignature(const LoadSpec& spec) {
  if (spec.signature.declared || !spec.image) return spec.signature;
  const int side = spec.image->crop == 0 ? -1 : spec.image->crop;
  Signature signature;
  signature.declared = true;
  signature.inputs.push_back({"image", DType::kFloat32, {spec.image->channels, side, side}, false});
  return signature;
}

// One model on its way through warm-up.
class Session {
 public:
  Session(const LoadSpec& spec, const RunnerOptions& options, std::unique_ptr<Executable>& executable)
      : spec_(spec),
        options_(options),
        executable_(executable),
        signature_(SampleSignature(spec)),
        type_(executable->result()) {}

  Result<WarmupResult> Run() {
    if (const char* why = WhyNot(); why != nullptr) return Skipped(why);
    if (Status status = More(2); !status.ok()) return Skipped(status.message());
    if (Status status = FirstRuns(); !status.ok()) {
      if (on_device() && IsDeviceFault(status)) return status;
      return Skipped("the warm-up sample failed: " + status.message());
    }
    if (Cancelled(spec_)) return Status(Code::kCancelled, "loading was cancelled");
    if (Status status = PickForm(); !status.ok()) return status;
    if (Cancelled(spec_)) return Status(Code::kCancelled, "loading was cancelled");
    PickBatch();
    if (Cancelled(spec_)) return Status(Code::kCancelled, "loading was cancelled");
    Sizes();
    result_.ran = true;
    if (!keeps_state_) executable_ = Release();
    return std::move(result_);
  }

 private:
  bool on_device() const { return !options_.device->device().is_host(); }

  static bool IsDeviceFault(const Status& status) {
    return status.code() == Code::kOutOfMemory || status.code() == Code::kDeviceLost;
  }

  const char* WhyNot() const {
    if (signature_.declared || !spec_.warmup_npy.empty()) return nullptr;
    return "inputs are not declared (sconce.inputs) and there is no warm-up sample (sconce.warmup)";
  }

  Status NoPrecision(const std::string& why) const {
    return {Code::kInvalidModel,
            spec_.path + ": sconce.precision: " + NameOf(spec_.precision) + " cannot be used: " + why};
  }

  Result<WarmupResult> Skipped(const std::string& why) {
    if (IsRequired(spec_.precision)) return NoPrecision("its answers cannot be compared with float32's: " + why);
    result_.warmup_reason = why;
    result_.form_reason = "no sample to compare other forms with";
    result_.form = executable_ ? executable_->form() : "plain";
    result_.batch = spec_.batch_size.value_or(1);
    result_.batch_reason = spec_.batch_size ? "as configured; not checked: " + why : "1: not checked: " + why;
    // Nothing has shown whether a list has an entry per sample.
    if (const char* never = NeverTogether(type_.may_list_samples)) RunAlone(never);
    if (!keeps_state_ && trial_) executable_ = Release();
    if (executable_) result_.form = executable_->form();
    return std::move(result_);
  }

  // Why samples cannot share a batch, whatever the configuration says; null: they may.
  const char* NeverTogether(bool lists_samples) const {
    if (type_.whole_batch)
      return "the model returns numbers or text, which belong to a whole batch and to no sample of it";
    if (lists_samples) return "the model returns a list of dicts with an entry per sample";
    return nullptr;
  }

  void RunAlone(const std::string& why) {
    result_.batch = 1;
    result_.batch_reason = "1: " + why + ", so samples run one by one";
    if (spec_.batch_size.value_or(1) > 1) {
      result_.batch_reason += "; batchSize: " + std::to_string(*spec_.batch_size) + " has no effect";
    }
  }

  // At least `count` samples.
  Status More(std::size_t count) {
    if (samples_.size() >= count) return Status::Ok();
    Result<std::vector<TaskPtr>> made = MakeSamples(signature_, spec_.warmup_npy, count);
    if (!made.ok()) return made.status();
    samples_ = std::move(*made);
    samples_[0]->v2 = std::make_unique<V2Request>();  // the first sample's outputs are named
    return Status::Ok();
  }

  // Puts the model (or a copy of one that keeps state) on trial and runs single samples.
  Status FirstRuns() {
    const auto* script = dynamic_cast<const TorchScript*>(executable_.get());
    if (script == nullptr && ChangesInputs()) executable_->give_copies();
    keeps_state_ = script != nullptr && (spec_.stateful || script->keeps_state());
    if (!keeps_state_) {
      Try(std::move(executable_));
    } else if (Status status = TryCopy(*script); !status.ok()) {
      return status;
    }
    result_.single_seconds = std::numeric_limits<double>::infinity();
    const double first = trial_->Seconds();
    for (int run = 0; run < 4 && (run < 2 || trial_->Seconds() - first < kFirstRunsSeconds); ++run) {
      if (run == 3 && Heavy()) break;  // the third tells enough
      const double start = trial_->Seconds();
      if (Status status = trial_->Single(samples_, 0); !status.ok()) return status;
      result_.single_seconds = std::min(result_.single_seconds, trial_->Seconds() - start);
    }
    result_.outputs = samples_[0]->leaves;
    return Status::Ok();
  }

  // Whether a run writes into its inputs: a compiled package does not tell. What a device runs on are copies anyway.
  bool ChangesInputs() const {
    if (on_device()) return false;
    const Row* const row = samples_[0]->rows.data();
    Collator collator(options_.device->device(), /*copies=*/true);
    std::vector<at::Tensor> inputs;
    for (std::size_t i = 0; i < row->inputs.size(); ++i) inputs.push_back(collator.Gather(i, {&row, 1}));
    try {
      const c10::InferenceMode inference;
      torch::jit::Stack stack;
      executable_->Begin(stack);
      for (const ArgPlan::Slot& slot : options_.plan.slots) {
        stack.push_back(slot.input < 0 ? slot.fallback : inputs[static_cast<std::size_t>(slot.input)]);
      }
      executable_->Call(stack);
    } catch (...) {
      return false;  // the first sample says what is wrong
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const TensorView& sent = row->inputs[i];
      if (sent.bytes > 0 && std::memcmp(inputs[i].const_data_ptr(), sent.data, sent.bytes) != 0) return true;
    }
    return false;
  }

  Status TryCopy(const TorchScript& script) {
    const auto copy = [&] { return Result<std::unique_ptr<TorchScript>>(script.Copy()); };
    Result<std::unique_ptr<TorchScript>> copied = InLoadStream(options_.device->device(), copy);
    if (copied.ok()) Try(std::move(*copied));
    return copied.ok() ? Status::Ok() : copied.status();
  }

  void Try(std::unique_ptr<Executable> executable) {
    on_trial_ = executable.get();
    held_ = std::move(executable);
    trial_ = MakeTrial(*on_trial_, options_, kMaxSamples);
  }

  std::unique_ptr<Executable> Release() {
    trial_.reset();
    return std::move(held_);
  }

  // The largest power of two (at most `limit`) whose batch should take no longer than `seconds`.
  std::uint32_t RowsWithin(double seconds, std::uint32_t limit) const {
    const double rows = seconds / std::max(result_.single_seconds, 1e-9);
    const auto most = static_cast<std::uint32_t>(std::clamp(rows, 1.0, static_cast<double>(limit)));
    return most == limit ? limit : std::bit_floor(most);
  }

  bool Heavy() const { return result_.single_seconds > kHeavySeconds; }

  std::uint32_t Limit() const {
    return std::min<std::uint32_t>(spec_.batch_size.value_or(kDefaultMaxBatch), kMaxSamples);
  }

  Status PickForm() {
    result_.form = on_trial_->form();
    const auto* script = dynamic_cast<const TorchScript*>(on_trial_);
    if (script == nullptr) {
      result_.form_reason = "compiled ahead of time";
      if (on_trial_->takes_copies()) result_.form_reason += "; it changes its inputs, so each run gets copies of them";
      return Status::Ok();
    }
    if (keeps_state_) {
      result_.form_reason =
          spec_.stateful ? "stateful: true forbids freezing" : "the model's code changes its attributes";
      return IsRequired(spec_.precision) ? NoPrecision(result_.form_reason) : Status::Ok();
    }
    const bool alone = NeverTogether(trial_->runner().lists_samples()) != nullptr;
    const std::uint32_t rows = alone ? 1 : RowsWithin(kFormBatchSeconds, Limit());
    if (Status status = More(rows); !status.ok()) {
      return IsRequired(spec_.precision) ? NoPrecision(status.message()) : Status::Ok();
    }
    Result<FormChoice> choice = ChooseForm(*script, spec_, options_, {signature_, samples_, rows});
    if (!choice.ok()) return {choice.status().code(), spec_.path + ": " + choice.status().message()};
    result_.form = choice->form;
    result_.form_reason = choice->reason;
    if (choice->script) Try(std::move(choice->script));
    // The forms that lost left their weights in the device's cache, and what is free is asked when all is done.
    options_.device->device().ReleaseCached();
    singles_ = std::move(choice->singles);
    if (std::isfinite(choice->single_seconds)) result_.single_seconds = choice->single_seconds;
    return Status::Ok();
  }

  // How near a batch must be to its samples alone.
  double BatchTolerance() const {
    if (on_trial_->reduced()) return std::max(spec_.precision_tolerance, kBatchTolerance);
    return on_device() ? kDeviceTolerance : kBatchTolerance;
  }

  // The first `rows` samples' answers alone; those that the choice of the form has shown are not asked for again.
  Status Alone(std::size_t rows, std::vector<Answer>& alone) {
    alone = std::move(singles_);
    for (std::size_t i = alone.size(); i < rows; ++i) {
      if (Status status = trial_->Single(samples_, i); !status.ok()) return status;
      alone.push_back(TakeAnswer(*samples_[i]));
    }
    NameAsTheFirst(alone);
    return Status::Ok();
  }

  // Empty when a batch of `rows` distinct samples gives what they give alone.
  std::string BatchDifference(std::size_t rows) {
    std::vector<Answer> alone;
    if (Status status = Alone(rows, alone); !status.ok()) return status.message();
    for (int run = 0; run < 2; ++run) {  // the second run is the executor's optimised plan for this shape
      if (Status status = trial_->Batch(samples_, rows); !status.ok()) return status.message();
      for (std::size_t i = 0; i < rows; ++i) {
        std::string difference;
        if (!SameAnswer(TakeAnswer(*samples_[i]), alone[i], BatchTolerance(), &difference)) return difference;
      }
    }
    return Outlier(alone[0]);
  }

  // Empty when samples whose numbers are far larger or far smaller than another's leave that one's answer, which is
  // `alone` without them, alone: what depends on the extremes of a batch may not show among samples that are alike.
  std::string Outlier(const Answer& alone) {
    Result<std::vector<TaskPtr>> made = MakeSamples(signature_, spec_.warmup_npy, 3);
    if (!made.ok()) return {};
    const std::vector<TaskPtr>& three = made.value();
    if (!Scale(*three[1], kFarOut) || !Scale(*three[2], -kFarOut)) return {};
    if (!trial_->Batch(three, three.size()).ok()) return {};  // each would be run again alone
    std::string difference;
    // The others' answers are not compared: softmax and the like turn steps of rounding into more, so far out.
    if (SameAnswer(TakeAnswer(*three[0]), alone, BatchTolerance(), &difference)) return {};
    return "beside samples with far larger numbers, " + difference;
  }

  // The most rows, halved from `rows`, that the device has the memory for.
  std::uint32_t Fitting(std::uint32_t rows) {
    while (on_device() && rows > 1 && More(rows).ok() && trial_->Batch(samples_, rows).code() == Code::kOutOfMemory) {
      options_.device->device().ReleaseCached();
      rows /= 2;
    }
    return rows;
  }

  std::string TooLong() const {
    return "a sample takes " + Milliseconds(result_.single_seconds) + " and a batch should stay under " +
           Milliseconds(kMaxDefaultBatchSeconds) + " (batchSize raises it)";
  }

  void PickBatch() {
    if (const char* why = NeverTogether(trial_->runner().lists_samples())) return RunAlone(why);
    const std::uint32_t asked = Limit();
    const bool stateful = spec_.stateful || keeps_state_;
    const std::uint32_t limit = stateful ? asked : Fitting(asked);
    result_.batch = limit < asked ? limit : spec_.batch_size.value_or(1);
    if (limit < asked)
      too_many_ = std::to_string(asked) + " rows do not fit in the memory of " + options_.device->device().name();
    if (limit == 1) {
      result_.batch_reason = too_many_.empty() ? "as configured" : "1: " + too_many_;
      return;
    }
    if (stateful) {
      result_.batch_reason = spec_.batch_size ? "as configured; not checked: the model is stateful"
                                              : "1: a stateful model is batched only when batchSize says so";
      return;
    }
    if (!spec_.batch_size && on_trial_->reads_values()) {
      result_.batch_reason =
          "1: the model's code decides by the values of its inputs, so samples of one batch could change each other's "
          "answers (batchSize sets a batch that is known to be right)";
      return;
    }
    const std::uint32_t fitting = RowsWithin(kMaxDefaultBatchSeconds, limit);
    if (!spec_.batch_size && fitting == 1) {  // nothing that a check could change
      result_.batch_reason = "1: " + TooLong();
      if (!too_many_.empty()) result_.batch_reason += "; " + too_many_;
      return;
    }
    const std::uint32_t rows = std::max(2U, Heavy() ? std::min(fitting, kMaxHeavyCheck) : fitting);
    const std::string problem = More(rows).ok() ? BatchDifference(rows) : "no samples";
    checked_rows_ = rows;
    const std::string checked = "a batch of " + std::to_string(rows) + " distinct samples ";
    if (spec_.batch_size) {
      result_.batch_reason = problem.empty()
                                 ? "as configured; " + checked + "equals the single runs"
                                 : "as configured, ALTHOUGH " + checked + "does not equal the single runs (" + problem +
                                       "): answers may be wrong, set batchSize: 1";
    } else if (!problem.empty()) {
      result_.batch_reason = "1: " + checked + "does not equal the single runs (" + problem + ")";
    } else {
      result_.batch = fitting;
      result_.batch_reason = checked + "equals the single runs";
      if (fitting < limit) result_.batch_reason += "; " + TooLong();
    }
    if (!too_many_.empty()) result_.batch_reason += "; " + too_many_;
  }

  // Runs each power of two up to the batch size, then times the largest as clients will see it (JSON answers).
  void Sizes() {
    const std::int64_t end = MonotonicNs() + static_cast<std::int64_t>(kWarmupSeconds * 1e9);
    const std::size_t largest = std::min<std::size_t>(result_.batch, kMaxSamples);
    if (!More(RowsWithin(kWarmupSeconds, static_cast<std::uint32_t>(largest))).ok()) return;
    for (std::size_t rows = 1; rows < largest;) {  // one row has run often enough
      rows = std::min(rows * 2, largest);
      const double estimate = 3 * result_.single_seconds * static_cast<double>(rows);
      if (rows > samples_.size() || MonotonicNs() + static_cast<std::int64_t>(estimate * 1e9) > end) return;
      if (rows == checked_rows_) continue;
      for (int run = 0; run < (Heavy() ? 1 : 2); ++run) {
        if (!trial_->Batch(samples_, rows).ok()) return;
      }
    }
    for (const TaskPtr& sample : samples_) sample->format = OutputFormat::kJson;
    result_.largest_p90_us = TimeLargest(largest) * 1e6;
  }

  double TimeLargest(std::size_t rows) {
    std::vector<double> seconds;
    const std::int64_t end = MonotonicNs() + 100'000'000;
    const std::size_t least = Heavy() ? 1 : 3;
    while (seconds.size() < least || (seconds.size() < 300 && MonotonicNs() < end)) {
      seconds.push_back(trial_->TimeBatch(samples_, rows));
    }
    std::ranges::sort(seconds);
    return seconds[std::min(seconds.size() - 1, seconds.size() * 90 / 100)];
  }

  const LoadSpec& spec_;
  const RunnerOptions& options_;
  std::unique_ptr<Executable>& executable_;
  Signature signature_;
  const ResultType type_;
  WarmupResult result_;
  std::vector<TaskPtr> samples_;
  std::unique_ptr<Executable> held_;
  const Executable* on_trial_ = nullptr;
  std::unique_ptr<Trial> trial_;
  bool keeps_state_ = false;
  std::vector<Answer> singles_;     // of the form on trial to the first samples, each alone
  std::uint32_t checked_rows_ = 0;  // a batch of so many has run
  std::string too_many_;            // why the batch is smaller than asked for
};

}  // namespace

Result<WarmupResult> WarmUp(const LoadSpec& spec, const RunnerOptions& options,
                            std::unique_ptr<Executable>& executable) {
  Result<WarmupResult> result = Session(spec, options, executable).Run();
  if (result.ok()) result->weights_bytes = executable->weights_bytes();
  return result;
}

}  // namespace sconce::torch_engine
