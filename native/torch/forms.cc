#include "torch/forms.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "torch/trial.h"
#include "torch/warmup.h"

namespace sconce::torch_engine {
namespace {

constexpr int kRunsBeforeTiming = 2;  // the profiling executor settles in its second run of a shape
constexpr double kWorthwhile = 0.98;  // a form must be this much faster than plain to be taken
constexpr std::size_t kComparedSingles = 2;

struct Candidate {
  std::unique_ptr<TorchScript> owned;
  std::unique_ptr<Trial> trial;
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

// Empty when every answer equals the plain form's.
std::string Difference(const std::vector<Answer>& plain, const std::vector<Answer>& other, double tolerance) {
  if (plain.size() != other.size()) return "it does not run the same batches";
  std::string difference;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (!SameAnswer(other[i], plain[i], tolerance, &difference)) return difference;
  }
  return {};
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

std::string Percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", ratio * 100);
  return text;
}

}  // namespace

FormChoice ChooseForm(const TorchScript& plain, const RunnerOptions& options, std::span<const TaskPtr> samples,
                      std::size_t rows) {
  FormChoice choice;
  std::vector<Candidate> candidates(1);
  candidates[0].trial = MakeTrial(plain, options, rows);
  std::vector<Answer> reference;
  if (Status status = Answers(*candidates[0].trial, samples, rows, reference); !status.ok()) {
    choice.reason = "the plain form failed: " + status.message();
    return choice;
  }
  const double tolerance = options.device->device().is_host() ? kFormTolerance : kDeviceTolerance;
  for (const bool optimise : {false, true}) {
    const char* name = optimise ? "optimised" : "frozen";
    Result<std::unique_ptr<TorchScript>> made = optimise ? plain.Optimised() : plain.Frozen();
    std::string problem = made.ok() ? "" : made.status().message();
    if (made.ok()) {
      Candidate candidate;
      candidate.owned = std::move(*made);
      candidate.trial = MakeTrial(*candidate.owned, options, rows);
      std::vector<Answer> answers;
      const Status status = Answers(*candidate.trial, samples, rows, answers);
      problem = status.ok() ? Difference(reference, answers, tolerance) : status.message();
      if (problem.empty()) candidates.push_back(std::move(candidate));
    }
    if (!problem.empty()) choice.reason += std::string(name) + " left out (" + problem + "); ";
  }
  Time(candidates, samples, rows);
  Candidate* best = &candidates[0];
  double best_ratio = kWorthwhile;
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    const double ratio = Relative(candidates[i], candidates[0], rows);
    choice.reason += std::string(candidates[i].owned->form()) + " takes " + Percent(ratio) + " of plain's time; ";
    if (ratio >= best_ratio) continue;
    best_ratio = ratio;
    best = &candidates[i];
  }
  if (best->owned) {
    choice.form = best->owned->form();
    best->trial.reset();
    choice.script = std::move(best->owned);
  }
  choice.reason += choice.form + " is used";
  return choice;
}

}  // namespace sconce::torch_engine
