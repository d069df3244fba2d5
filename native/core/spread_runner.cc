#include "core/spread_runner.h"

#include <algorithm>
#include <utility>

namespace sconce {

struct SpreadRunner::Scratch final : RunnerScratch {
  Scratch(SpreadRunner& its_owner, std::size_t its_instance, std::size_t its_home, int threads)
      : owner(its_owner), instance(its_instance), home(its_home), intra_op_threads(threads) {}
  ~Scratch() override { owner.Leave(instance); }

  SpreadRunner& owner;
  const std::size_t instance;
  std::size_t home;
  const int intra_op_threads;
  std::vector<std::unique_ptr<RunnerScratch>> used;  // the last one is of `home`; the others' devices are lost
};

SpreadRunner::SpreadRunner(std::vector<Home> homes, int lanes_per_instance)
    : homes_(std::move(homes)), lanes_per_instance_(std::max(lanes_per_instance, 1)) {}

std::unique_ptr<RunnerScratch> SpreadRunner::NewScratch(int intra_op_threads) {
  std::size_t index = 0;
  std::size_t home = 0;
  {
    MutexLock lock(mutex_);
    while (index < instances_.size() && instances_[index].lanes >= lanes_per_instance_) ++index;
    if (index == instances_.size()) instances_.push_back({.home = index % homes_.size(), .lanes = 0});
    ++instances_[index].lanes;
    home = instances_[index].home;
  }
  auto scratch = std::make_unique<Scratch>(*this, index, home, intra_op_threads);
  scratch->used.push_back(homes_[home].runner->NewScratch(intra_op_threads));
  return scratch;
}

void SpreadRunner::Run(std::span<Task* const> batch, RunnerScratch& opaque, bool allow_rerun) {
  auto& scratch = static_cast<Scratch&>(opaque);
  if (!homes_[scratch.home].runner->device().in_service()) Move(scratch);
  homes_[scratch.home].runner->Run(batch, *scratch.used.back(), allow_rerun);
}

void SpreadRunner::Move(Scratch& scratch) {
  for (std::size_t step = 1; step < homes_.size(); ++step) {
    const std::size_t next = (scratch.home + step) % homes_.size();
    if (!homes_[next].runner->device().in_service()) continue;
    scratch.used.push_back(homes_[next].runner->NewScratch(scratch.intra_op_threads));
    scratch.home = next;
    MutexLock lock(mutex_);
    instances_[scratch.instance].home = next;
    return;
  }
}

void SpreadRunner::Leave(std::size_t instance) {
  MutexLock lock(mutex_);
  --instances_[instance].lanes;
}

std::vector<int> SpreadRunner::Instances() const {
  std::vector<int> devices;
  MutexLock lock(mutex_);
  for (const Instance& each : instances_) {
    if (each.lanes > 0) devices.push_back(homes_[each.home].index);
  }
  return devices;
}

std::vector<int> SpreadRunner::Devices() const {
  std::vector<int> devices;
  for (const Home& home : homes_) devices.push_back(home.index);
  return devices;
}

std::uint32_t SpreadRunner::batch_limit() const {
  std::uint32_t least = homes_.front().runner->limit().current();
  for (const Home& home : homes_) least = std::min(least, home.runner->limit().current());
  return least;
}

bool SpreadRunner::in_service() const {
  return std::ranges::any_of(homes_, [](const Home& home) { return home.runner->device().in_service(); });
}

}  // namespace sconce
