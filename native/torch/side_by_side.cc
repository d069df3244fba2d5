#include "torch/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <span>
#include <thread>
#include <utility>

#include "torch/trial.h"

namespace sconce::torch_engine {
namespace {

constexpr int kRuns = 2;  // timed; the fastest counts

std::unique_ptr<Trial> LaneOf(const TorchScript& script, const RunnerOptions& options, std::size_t rows) {
  auto runner = std::make_unique<TorchRunner>(std::make_unique<BorrowedExecutable>(script), options);
  runner->set_max_rows(static_cast<std::uint32_t>(rows));
  return std::make_unique<Trial>(std::move(runner));
}

}  // namespace

double SideBySide::Seconds(const TorchScript& script, const RunnerOptions& options, std::size_t rows) {
  std::atomic<std::size_t> busy{0};
  std::atomic<bool> done{false};
  std::atomic<bool> failed{false};
  std::vector<std::jthread> others;
  for (std::size_t lane = 1; lane < samples_.size(); ++lane) {
    others.emplace_back([&, lane] {
      const std::unique_ptr<Trial> trial = LaneOf(script, options, rows);
      busy.fetch_add(1);
      busy.notify_one();
      while (!done && !failed) failed = failed || !trial->Batch(samples_[lane], rows).ok();
    });
  }
  double fastest = std::numeric_limits<double>::infinity();
  {
    const std::unique_ptr<Trial> trial = LaneOf(script, options, rows);
    for (std::size_t ready = 0; ready < others.size(); ready = busy) busy.wait(ready);
    for (int run = 0; run < kRuns && !failed; ++run) {
      const double start = trial->Seconds();
      failed = failed || !trial->Batch(samples_[0], rows).ok();
      fastest = std::min(fastest, trial->Seconds() - start);
    }
  }
  done = true;
  others.clear();
  return failed ? std::numeric_limits<double>::infinity() : fastest;
}

}  // namespace sconce::torch_engine
