// A model on the simulated device: a row goes in as its request's cookie, repeated, and comes back as SimAnswer of it,
// so an answer tells whose it is. Gathers, copies, computes and copies back as native/torch does on a real device.
// Thread: as BatchProgram.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <span>

#include "core/device_runner.h"
#include "sim/sim_device.h"

namespace sconce::sim {

struct SimModel {
  std::size_t row_bytes = 64;               // in; a multiple of 8
  std::size_t answer_bytes = 8;             // out, of a row; a multiple of 8
  std::size_t workspace_bytes_per_row = 0;  // device memory while it runs
  std::int64_t compute_ns_per_row = 0;
  std::int64_t compute_ns = 0;          // of each batch
  std::set<std::uint32_t> guilty = {};  // cookies that raise
};

// What the model gives for a row.
std::uint64_t SimAnswer(std::uint32_t cookie, std::uint32_t row);

// Whether the task's answer is that of its own rows.
bool AnswersOwnRows(const Task& task);

class SimProgram final : public BatchProgram {
 public:
  // With `clock` the threads that own a scratch take part in its time.
  SimProgram(const SimDevice& device, SimModel model, SimClock* clock = nullptr)
      : device_(device), model_(std::move(model)), clock_(clock) {}

  std::unique_ptr<RunnerScratch> NewScratch(int intra_op_threads) override;
  Status Attempt(std::span<Task* const> batch, std::uint32_t max_rows, RunnerScratch& scratch) override;

  std::uint32_t largest_batch() const { return largest_.load(); }  // rows that ran at once

 private:
  struct Scratch;
  Status RunRows(std::span<const std::uint64_t> rows, Scratch& scratch, std::vector<std::uint64_t>& answers);

  const SimDevice& device_;
  const SimModel model_;
  SimClock* const clock_;
  std::atomic<std::uint32_t> largest_{0};
};

}  // namespace sconce::sim
