// A model whose instances are spread over devices: one copy of the weights per device, instance i on devices[i % n].
//
// A lane that asks for its scratch takes the first instance that lacks one, so instances are filled in order however
// the threads start. An instance whose device is lost moves to the next one in service that holds the weights; without
// any it stays and its batches end with kDeviceLost.
// Thread: as Runner; the figures from anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/device_runner.h"
#include "core/mutex.h"

namespace sconce {

class SpreadRunner final : public Runner {
 public:
  struct Home {
    std::shared_ptr<DeviceRunner> runner;
    DeviceState::Share memory;  // what the weights and the largest batch hold there
    int index = 0;              // the device's number
  };

  // At least one home.
  SpreadRunner(std::vector<Home> homes, int lanes_per_instance);

  std::unique_ptr<RunnerScratch> NewScratch(int intra_op_threads) override;
  void Run(std::span<Task* const> batch, RunnerScratch& scratch, bool allow_rerun) override;
  void Explain(Task& task) override { homes_.front().runner->Explain(task); }

  // The number of the device of each instance that has a lane, in order.
  std::vector<int> Instances() const;
  std::vector<int> Devices() const;   // of all that hold the weights
  std::uint32_t batch_limit() const;  // rows at once now, on the device that takes fewest
  bool in_service() const;            // some device is

 private:
  struct Scratch;
  struct Instance {
    std::size_t home = 0;
    int lanes = 0;
  };

  void Leave(std::size_t instance);
  void Move(Scratch& scratch);

  const std::vector<Home> homes_;
  const int lanes_per_instance_;
  mutable Mutex mutex_;
  std::vector<Instance> instances_ GUARDED_BY(mutex_);
};

}  // namespace sconce
