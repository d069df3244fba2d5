#include "torch/forms.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/executor.h"
#include "torch/trial.h"
#include "torch/warmup.h"

namespace sconce::torch_engine {
const char* NameOf(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "float32";
    case Precision::kBfloat16:
      return "bfloat16";
    case Precision::kFloat16:
      return "float16";
    case Precision::kAuto:
      return "auto";
  }
  return "";
}

bool IsRequired(Precision precision) { return precision == Precision::kBfloat16 || precision == Precision::kFloat16; }

namespace {

constexpr int kRunsBeforeTiming = 2;  // the profiling executor settles in its second run of a shape
constexpr double kWorthwhile = 0.98;  // a form must be this much faster than plain to be taken
constexpr std::size_t kComparedSingles = 2;

struct Candidate {
  std::unique_ptr<TorchScript> owned;
  std::unique_ptr<Trial> trial;
  std::string note;
  double single = std::numeric_limits<double>::infinity();
  double batch = std::numeric_limits<double>::infinity();
};

std::unique_ptr<Trial> MakeTrial(const TorchScript& script, const RunnerOptions& options, std::size_t rows) {
  auto runner = std::make_unique<TorchRunner>(std::make_unique<BorrowedExecutable>(script), options);
  runner->set_max_rows(static_cast<std::uint32_t>(rows));
  return std::make_unique<Trial>(std::move(runner));
}

// The answers to some samples alone and to one batch (left out when the model cannot run it).
Status Answers(Trial& trial, std::span<const TaskPtr> samples, std::size_t rows, std::vector<Answer>& answers) {
  for (int run = 0; run < kRunsBeforeTiming; ++run) {
    answers.clear();
    for (std::size_t i = 0; i < std::min(kComparedSingles, samples.size()); ++i) {
      if (Status status = trial.Single(samples, i); !status.ok()) return status;
      answers.push_back(TakeAnswer(*samples[i]));
      if (run == 0) break;  // one is enough before the executor has settled
    }
    if (rows < 2 || !trial.Batch(samples, rows).ok()) continue;
    for (const TaskPtr& sample : samples.first(rows)) answers.push_back(TakeAnswer(*sample));
  }
  return Status::Ok();
}

// A form that may take plain's place.
struct Form {
  std::string name;
  Result<std::unique_ptr<TorchScript>> script;
};

std::vector<Form> FormsOf(const TorchScript& plain, Precision precision, bool fixed_sizes) {
  std::vector<Form> forms;
  const bool has_kernels = plain.has_kernels();
  if (!IsRequired(precision)) {
    forms.push_back({"frozen", plain.Frozen()});
    forms.push_back({"optimised", plain.Optimised()});
    // Code that cannot see a tensor through view() in another order may get by at the samples' sizes alone.
    if (has_kernels && fixed_sizes) forms.push_back({"frozen, channels last", plain.Converted({{}, true})});
  }
  if (precision == Precision::kFloat32) return forms;
  const auto dtype = precision == Precision::kFloat16 ? at::kHalf : at::kBFloat16;
  const std::string name = NameOf(precision == Precision::kAuto ? Precision::kBfloat16 : precision);
  forms.push_back({name, plain.Converted({dtype, false})});
  if (has_kernels) forms.push_back({name + ", channels last", plain.Converted({dtype, true})});
  return forms;
}

std::string Percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", ratio * 100);
  return text;
}

std::string Share(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", value);
  return text;
}

// Empty when every answer equals the plain form's.
std::string Difference(const std::vector<Answer>& plain, const std::vector<Answer>& other, double tolerance) {
  if (plain.size() != other.size()) return "it does not run the same batches";
  std::string difference;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (!SameAnswer(other[i], plain[i], tolerance, &difference)) return difference;
  }
  return {};
}

// Empty when every answer is near the plain form's; `worst` is how near.
std::string Distance(const std::vector<Answer>& plain, const std::vector<Answer>& other, double tolerance,
                     double& worst) {
  if (plain.size() != other.size()) return "it does not run the same batches";
  std::string where;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    std::string difference;
    const double share = RelativeDifference(other[i], plain[i], &difference);
    if (share <= worst) continue;
    worst = share;
    where = std::move(difference);
  }
  if (worst <= tolerance) return {};
  if (!std::isfinite(worst)) return where;  // no tolerance would do
  return "its answers differ by " + Share(worst) + " of the largest output, more than the " + Share(tolerance) +
         " of sconce.precisionTolerance: " + where;
}

// Rounds in which each form runs once, so that a noisy moment hits all of them.
void Time(std::vector<Candidate>& candidates, std::span<const TaskPtr> samples, std::size_t rows) {
  const std::int64_t end = MonotonicNs() + static_cast<std::int64_t>(kFormTrialSeconds * 1e9);
  for (int round = 0; round < 50 && (round == 0 || MonotonicNs() < end); ++round) {
    for (Candidate& candidate : candidates) {
      candidate.single = std::min(candidate.single, candidate.trial->TimeBatch(samples, 1));
      if (rows > 1) candidate.batch = std::min(candidate.batch, candidate.trial->TimeBatch(samples, rows));
    }
  }
}

// Time relative to plain, single and batch weighing alike.
double Relative(const Candidate& candidate, const Candidate& plain, std::size_t rows) {
  const double single = candidate.single / plain.single;
  return rows > 1 ? (single + candidate.batch / plain.batch) / 2 : single;
}

// The forms that are near enough to plain's answers, and which of them is the fastest; `reason` says so of each.
class Contest {
 public:
  Contest(const LoadSpec& spec, const RunnerOptions& options, std::span<const TaskPtr> samples, std::size_t rows)
      : spec_(spec), options_(options), samples_(samples), rows_(rows), candidates_(1) {}

  Status Start(const TorchScript& plain) {
    candidates_[0].trial = MakeTrial(plain, options_, rows_);
    Status status = Answers(*candidates_[0].trial, samples_, rows_, reference_);
    NameAsTheFirst(reference_);
    return status;
  }

  void Enter(Form form) {
    std::string problem = form.script.ok() ? Admit(std::move(*form.script)) : form.script.status().message();
    if (!problem.empty()) reason_ += form.name + " left out (" + problem + "); ";
  }

  // The fastest; null: plain.
  Candidate* Winner(bool plain_may_win) {
    Time(candidates_, samples_, rows_);
    Candidate* best = nullptr;
    double best_ratio = plain_may_win ? kWorthwhile : std::numeric_limits<double>::infinity();
    for (Candidate& candidate : std::span(candidates_).subspan(1)) {
      const double ratio = Relative(candidate, candidates_[0], rows_);
      reason_ += candidate.owned->form() + (" takes " + Percent(ratio) + " of plain's time" + candidate.note + "; ");
      if (ratio >= best_ratio) continue;
      best_ratio = ratio;
      best = &candidate;
    }
    return best;
  }

  bool alone() const { return candidates_.size() == 1; }
  // Whether a larger tolerance would have let another form in.
  bool too_far() const { return too_far_; }
  std::string& reason() { return reason_; }

 private:
  // Why it cannot take part, or empty.
  std::string Admit(std::unique_ptr<TorchScript> script) {
    Candidate candidate;
    candidate.owned = std::move(script);
    candidate.trial = MakeTrial(*candidate.owned, options_, rows_);
    std::vector<Answer> answers;
    if (Status status = Answers(*candidate.trial, samples_, rows_, answers); !status.ok()) return status.message();
    const double tolerance = options_.device->device().is_host() ? kFormTolerance : kDeviceTolerance;
    double worst = 0;
    std::string problem = candidate.owned->reduced() ? Distance(reference_, answers, spec_.precision_tolerance, worst)
                                                     : Difference(reference_, answers, tolerance);
    if (!problem.empty()) {
      too_far_ = too_far_ || (worst > 0 && std::isfinite(worst));
      return problem;
    }
    if (candidate.owned->reduced()) candidate.note = ", its answers differ by " + Share(worst) + " at most";
    candidates_.push_back(std::move(candidate));
    return {};
  }

  const LoadSpec& spec_;
  const RunnerOptions& options_;
  std::span<const TaskPtr> samples_;
  std::size_t rows_;
  std::vector<Candidate> candidates_;
  std::vector<Answer> reference_;
  std::string reason_;
  bool too_far_ = false;
};

}  // namespace

Result<FormChoice> ChooseForm(const TorchScript& plain, const LoadSpec& spec, const RunnerOptions& options,
                              const FormSamples& samples) {
  FormChoice choice;
  const bool required = IsRequired(spec.precision);
  Contest contest(spec, options, samples.tasks, samples.rows);
  if (Status status = contest.Start(plain); !status.ok()) {
    choice.reason = "the plain form failed: " + status.message();
    if (required) return Status(Code::kInvalidModel, choice.reason);
    return choice;
  }
  for (Form& form : FormsOf(plain, spec.precision, !HasFreeDims(samples.signature))) contest.Enter(std::move(form));
  if (required && contest.alone()) {
    return Status(Code::kInvalidModel, std::string("sconce.precision: ") + NameOf(spec.precision) +
                                           " does not suit this model: " + contest.reason() +
                                           "set sconce.precision: float32 or auto" +
                                           (contest.too_far() ? ", or a larger precisionTolerance" : ""));
  }
  if (Candidate* best = contest.Winner(!required); best != nullptr) {
    choice.form = best->owned->form();
    best->trial.reset();
    choice.script = std::move(best->owned);
  }
  choice.reason = contest.reason() + choice.form + " is used";
  return choice;
}

}  // namespace sconce::torch_engine
