#include "torch/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>

#include "torch/trial.h"

namespace sconce::torch_engine {
double SideBySide::Seconds(const TorchScript& script, const RunnerOptions& options, std::size_t rows) {
  std::vector<std::unique_ptr<Trial>> trials;
  for (std::size_t lane = 0; lane < samples_.size(); ++lane) trials.push_back(MakeTrial(script, options, rows));
  std::atomic<std::size_t> busy{0};
  std::atomic<bool> failed{false};
  std::vector<std::jthread> others;  // behind what they use: they stop first
  for (std::size_t lane = 1; lane < samples_.size(); ++lane) {
    others.emplace_back([&, lane](const std::stop_token& stop) {
      busy.fetch_add(1);
      busy.notify_one();
      while (!stop.stop_requested() && !failed) failed = failed || !trials[lane]->Batch(samples_[lane], rows).ok();
    });
  }
  for (std::size_t ready = busy; ready < others.size(); ready = busy) busy.wait(ready);
  double fastest = std::numeric_limits<double>::infinity();
  for (int run = 0; run < kSideBySideRuns && !failed; ++run) {
    const double start = trials[0]->Seconds();
    failed = failed || !trials[0]->Batch(samples_[0], rows).ok();
    fastest = std::min(fastest, trials[0]->Seconds() - start);
  }
  for (std::jthread& other : others) other.request_stop();
  others.clear();
  return failed ? std::numeric_limits<double>::infinity() : fastest;
}

}  // namespace sconce::torch_engine
