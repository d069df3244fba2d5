#include "torch/forms.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/executor.h"
#include "torch/load_stream.h"
#include "torch/side_by_side.h"
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
constexpr double kBehind = 1.15;            // what takes that many times the fastest form's time is timed no more …
constexpr double kTimedOnceSeconds = 5e-3;  // … once its time is long enough for one run to tell
constexpr double kTie = 1.1;                // forms this near to the fastest are timed as lanes run them, side by side
constexpr double kSideBySideSeconds = 1.5;  // models that would need more of one lane for it are not compared so
constexpr int kMostSideBySide = 4;          // lanes at once: more tell no more
constexpr std::uint32_t kRowsSideBySide = 4;  // a larger batch than one that is timed alone tells forms apart sooner

struct Candidate {
  std::unique_ptr<TorchScript> owned;
  std::unique_ptr<Trial> trial;
  std::vector<Answer> singles;
  std::string note;
  double single = std::numeric_limits<double>::infinity();
  double batch = std::numeric_limits<double>::infinity();
  double ratio = 1;  // of plain's time
};

// The answers to some samples alone and to one batch (left out when the model cannot run it), with what the runs took
// once the executor had settled. `settled`: it has, for samples alone.
Status Answers(Candidate& candidate, std::span<const TaskPtr> samples, std::size_t rows, bool settled,
               std::vector<Answer>& answers) {
  Trial& trial = *candidate.trial;
  for (int run = 0; run < kRunsBeforeTiming; ++run) {
    const bool last = run == kRunsBeforeTiming - 1;
    const std::size_t singles = last ? std::min(kComparedSingles, samples.size()) : settled ? 0 : 1;
    answers.clear();
    for (std::size_t i = 0; i < singles; ++i) {
      const double start = trial.Seconds();
      if (Status status = trial.Single(samples, i); !status.ok()) return status;
      if (last) candidate.single = std::min(candidate.single, trial.Seconds() - start);
      answers.push_back(TakeAnswer(*samples[i]));
    }
    const double start = trial.Seconds();
    if (rows < 2 || !trial.Batch(samples, rows).ok()) continue;
    if (last) candidate.batch = trial.Seconds() - start;
    for (const TaskPtr& sample : samples.first(rows)) answers.push_back(TakeAnswer(*sample));
  }
  return Status::Ok();
}

// The answers that are to one sample alone.
std::vector<Answer> TakeSingles(std::vector<Answer>& answers, std::size_t samples) {
  const auto end = answers.begin() + static_cast<std::ptrdiff_t>(std::min(kComparedSingles, samples));
  return {std::make_move_iterator(answers.begin()), std::make_move_iterator(end)};
}

// A form that may take plain's place, made when its turn comes: each has weights of its own.
struct Form {
  std::string name;
  std::function<Result<std::unique_ptr<TorchScript>>()> make;
};

std::vector<Form> FormsOf(const TorchScript& plain, Precision precision, bool fixed_sizes) {
  std::vector<Form> forms;
  const bool has_kernels = plain.has_kernels();
  const auto converted = [&plain](Conversion to) { return [&plain, to] { return plain.Converted(to); }; };
  if (!IsRequired(precision)) {
    forms.push_back({"frozen", [&plain] { return plain.Frozen(); }});
    forms.push_back({"optimised", [&plain] { return plain.Optimised(); }});
    // Code that cannot see a tensor through view() in another order may get by at the samples' sizes alone.
    if (has_kernels && fixed_sizes) forms.push_back({"frozen, channels last", converted({{}, true})});
  }
  if (precision == Precision::kFloat32) return forms;
  const auto dtype = precision == Precision::kFloat16 ? at::kHalf : at::kBFloat16;
  const std::string name = NameOf(precision == Precision::kAuto ? Precision::kBfloat16 : precision);
  forms.push_back({name, converted({dtype, false})});
  if (has_kernels) forms.push_back({name + ", channels last", converted({dtype, true})});
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

double Cost(const Candidate& candidate, std::size_t rows) {
  return rows > 1 ? candidate.single + candidate.batch : candidate.single;
}

// The forms of which more runs may still say which is the fastest.
std::vector<Candidate*> Undecided(std::vector<Candidate>& candidates, std::size_t rows) {
  double best = std::numeric_limits<double>::infinity();
  for (const Candidate& each : candidates) best = std::min(best, Cost(each, rows));
  std::vector<Candidate*> near;
  for (Candidate& each : candidates) {
    const double cost = Cost(each, rows);
    if (cost < kTimedOnceSeconds || cost <= kBehind * best) near.push_back(&each);
  }
  return near;
}

// Rounds in which each form runs once, so that a noisy moment hits all of them; the runs that were compared are the
// first.
void Time(std::vector<Candidate>& candidates, std::span<const TaskPtr> samples, std::size_t rows) {
  const Trial& clock = *candidates[0].trial;
  const double end = clock.Seconds() + kFormTrialSeconds;
  for (int round = 0; round < 50; ++round) {
    const std::vector<Candidate*> undecided = Undecided(candidates, rows);
    double cost = 0;
    for (const Candidate* each : undecided) cost += Cost(*each, rows);
    if (undecided.size() < 2 || clock.Seconds() + cost > end) return;
    for (Candidate* each : undecided) {
      each->single = std::min(each->single, each->trial->TimeBatch(samples, 1));
      if (rows > 1) each->batch = std::min(each->batch, each->trial->TimeBatch(samples, rows));
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
  Contest(const LoadSpec& spec, const RunnerOptions& options, const FormSamples& samples)
      : spec_(spec),
        options_(options),
        signature_(samples.signature),
        samples_(samples.tasks),
        rows_(samples.rows),
        candidates_(1) {}

  Status Start(const TorchScript& plain) {
    candidates_[0].trial = MakeTrial(plain, options_, rows_);
    Status status = Answers(candidates_[0], samples_, rows_, /*settled=*/true, reference_);
    if (!std::isfinite(candidates_[0].batch)) rows_ = 1;  // it takes no batch: there is no time to compare with
    NameAsTheFirst(reference_);
    return status;
  }

  void Enter(const Form& form) {
    Result<std::unique_ptr<TorchScript>> script = InLoadStream(options_.device->device(), form.make);
    std::string problem = script.ok() ? Admit(std::move(*script)) : script.status().message();
    if (!problem.empty()) reason_ += form.name + " left out (" + problem + "); ";
  }

  // The fastest; null: plain.
  Candidate* Winner(bool plain_may_win) {
    Time(candidates_, samples_, rows_);
    Candidate* best = nullptr;
    double best_ratio = plain_may_win ? kWorthwhile : std::numeric_limits<double>::infinity();
    for (Candidate& candidate : std::span(candidates_).subspan(1)) {
      candidate.ratio = Relative(candidate, candidates_[0], rows_);
      reason_ +=
          candidate.owned->form() + (" takes " + Percent(candidate.ratio) + " of plain's time" + candidate.note + "; ");
      if (candidate.ratio >= best_ratio) continue;
      best_ratio = candidate.ratio;
      best = &candidate;
    }
    return best == nullptr ? nullptr : FastestOfEquals(best);
  }

  // Of plain, which is compared with nothing any more.
  double plain_seconds() const { return candidates_[0].single; }
  std::vector<Answer> TakePlainSingles() { return TakeSingles(reference_, samples_.size()); }

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
    if (Status status = Answers(candidate, samples_, rows_, /*settled=*/false, answers); !status.ok())
      return status.message();
    const double tolerance = options_.device->device().is_host() ? kFormTolerance : kDeviceTolerance;
    double worst = 0;
    std::string problem = candidate.owned->reduced() ? Distance(reference_, answers, spec_.precision_tolerance, worst)
                                                     : Difference(reference_, answers, tolerance);
    if (!problem.empty()) {
      too_far_ = too_far_ || (worst > 0 && std::isfinite(worst));
      return problem;
    }
    if (candidate.owned->reduced()) candidate.note = ", its answers differ by " + Share(worst) + " at most";
    candidate.singles = TakeSingles(answers, samples_.size());
    candidates_.push_back(std::move(candidate));
    return {};
  }

  // Of the forms about as fast as `best` on one lane, the fastest on all lanes at once. For models whose runs are long
  // enough to share: others seldom run at the same time.
  Candidate* FastestOfEquals(Candidate* best) {
    std::vector<Candidate*> equals;
    for (Candidate& each : std::span(candidates_).subspan(1)) {
      if (each.ratio <= kTie * best->ratio) equals.push_back(&each);
    }
    if (equals.size() < 2 || best->single < kTimedOnceSeconds) return best;
    const std::size_t rows = RowsSideBySide();
    const double runs = static_cast<double>(rows * equals.size()) * kSideBySideRuns;
    if (runs * best->single > kSideBySideSeconds) return best;
    std::optional<SideBySide> lanes = LanesOf();
    if (!lanes) return best;
    double fastest = std::numeric_limits<double>::infinity();
    for (Candidate* each : equals) {
      const double seconds = lanes->Seconds(*each->owned, options_, rows);
      reason_ += "on " + std::to_string(lanes->lanes()) + " lanes at once " + each->owned->form() + " takes " +
                 Milliseconds(seconds) + " for " + std::to_string(rows) + "; ";
      if (seconds >= fastest) continue;
      fastest = seconds;
      best = each;
    }
    return best;
  }

  std::size_t RowsSideBySide() const {
    return rows_ < 2 ? 1 : std::min(spec_.batch_size.value_or(kRowsSideBySide), kRowsSideBySide);
  }

  // Nothing where one lane is all there is.
  std::optional<SideBySide> LanesOf() const {
    const int lanes = std::min(spec_.instances > 0 ? spec_.instances : spec_.cores, kMostSideBySide);
    if (lanes < 2 || !options_.device->device().is_host()) return std::nullopt;
    std::vector<std::vector<TaskPtr>> samples;
    for (int lane = 0; lane < lanes; ++lane) {
      Result<std::vector<TaskPtr>> made = MakeSamples(signature_, spec_.warmup_npy, RowsSideBySide());
      if (!made.ok()) return std::nullopt;
      samples.push_back(std::move(*made));
    }
    return SideBySide(std::move(samples));
  }

  const LoadSpec& spec_;
  const RunnerOptions& options_;
  const Signature& signature_;
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
  Contest contest(spec, options, samples);
  if (Status status = contest.Start(plain); !status.ok()) {
    choice.reason = "the plain form failed: " + status.message();
    if (required) return Status(Code::kInvalidModel, choice.reason);
    return choice;
  }
  for (const Form& form : FormsOf(plain, spec.precision, !HasFreeDims(samples.signature))) {
    if (spec.cancelled != nullptr && spec.cancelled->load()) return choice;  // the caller sees that, too
    contest.Enter(form);
  }
  if (required && contest.alone()) {
    return Status(Code::kInvalidModel, std::string("sconce.precision: ") + NameOf(spec.precision) +
                                           " does not suit this model: " + contest.reason() +
                                           "set sconce.precision: float32 or auto" +
                                           (contest.too_far() ? ", or a larger precisionTolerance" : ""));
  }
  if (Candidate* best = contest.Winner(!required); best != nullptr) {
    choice.form = best->owned->form();
    choice.single_seconds = best->single;
    choice.singles = std::move(best->singles);
    best->trial.reset();
    choice.script = std::move(best->owned);
  } else {
    choice.single_seconds = contest.plain_seconds();
    choice.singles = contest.TakePlainSingles();
  }
  choice.reason = contest.reason() + choice.form + " is used";
  return choice;
}

}  // namespace sconce::torch_engine
