#include "sim/sim_program.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace sconce::sim {
namespace {

std::uint64_t Input(std::uint32_t cookie, std::uint32_t row) { return std::uint64_t{cookie} << 32 | row; }

std::uint64_t Compute(std::uint64_t value) { return (value ^ 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U; }

}  // namespace

std::uint64_t SimAnswer(std::uint32_t cookie, std::uint32_t row) { return Compute(Input(cookie, row)); }

bool AnswersOwnRows(const Task& task) {
  if (task.answer.size() != task.rows.size() * sizeof(std::uint64_t)) return false;
  for (std::uint32_t row = 0; row < task.rows.size(); ++row) {
    std::uint64_t value = 0;
    std::memcpy(&value, task.answer.data() + row * sizeof value, sizeof value);
    if (value != SimAnswer(task.cookie, row)) return false;
  }
  return true;
}

struct SimProgram::Scratch final : RunnerScratch {
  explicit Scratch(SimClock* its_clock) : clock(its_clock) {
    if (clock != nullptr) clock->Join();
  }
  ~Scratch() override {
    if (clock != nullptr) clock->Part();
  }
  SimClock* const clock;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Event> done;
  std::unique_ptr<Staging> in;
  std::unique_ptr<Staging> out;
};

std::unique_ptr<RunnerScratch> SimProgram::NewScratch(int) { return std::make_unique<Scratch>(clock_); }

Status SimProgram::Attempt(std::span<Task* const> batch, std::uint32_t max_rows, RunnerScratch& opaque) {
  auto& scratch = static_cast<Scratch&>(opaque);
  std::vector<std::uint64_t> rows;
  for (const Task* task : batch) {
    for (std::uint32_t row = 0; row < task->rows.size(); ++row) rows.push_back(Input(task->cookie, row));
  }
  const std::size_t step = batch.size() == 1 ? std::max<std::size_t>(max_rows, 1) : rows.size();
  std::vector<std::uint64_t> answers;
  for (std::size_t first = 0; first < rows.size(); first += step) {
    const std::size_t count = std::min(step, rows.size() - first);
    if (Status status = RunRows(std::span(rows).subspan(first, count), scratch, answers); !status.ok()) return status;
  }
  for (const Task* task : batch) {
    if (model_.guilty.contains(task->cookie)) return {Code::kModelError, "raised"};
  }
  std::size_t first = 0;
  for (Task* task : batch) {
    task->answer.Append(answers.data() + first, task->rows.size() * sizeof(std::uint64_t));
    first += task->rows.size();
  }
  return Status::Ok();
}

Status SimProgram::RunRows(std::span<const std::uint64_t> rows, Scratch& scratch, std::vector<std::uint64_t>& answers) {
  const std::size_t bytes = rows.size() * model_.row_bytes;
  const std::size_t answer = rows.size() * model_.answer_bytes;
  if (!scratch.stream) {
    Result<std::unique_ptr<Stream>> stream = device_.NewStream(StreamPriority::kNormal);
    Result<std::unique_ptr<Event>> event = device_.NewEvent();
    if (!stream.ok()) return stream.status();
    if (!event.ok()) return event.status();
    scratch.stream = std::move(*stream);
    scratch.done = std::move(*event);
  }
  for (const auto& [staging, need] : {std::pair(&scratch.in, bytes), std::pair(&scratch.out, answer)}) {
    if (*staging && (*staging)->bytes() >= need) continue;
    Result<std::unique_ptr<Staging>> made = device_.NewStaging(need);
    if (!made.ok()) return made.status();
    *staging = std::move(*made);
  }
  const std::size_t words = model_.row_bytes / sizeof(std::uint64_t);
  auto* to = reinterpret_cast<std::uint64_t*>(scratch.in->data());
  for (const std::uint64_t row : rows) to = std::fill_n(to, words, row);

  Stream& stream = *scratch.stream;
  Result<SimDevice::Allocation> input = device_.Allocate(bytes);
  if (!input.ok()) return input.status();
  Result<SimDevice::Allocation> workspace = device_.Allocate(rows.size() * model_.workspace_bytes_per_row);
  if (!workspace.ok()) return workspace.status();
  Result<SimDevice::Allocation> output = device_.Allocate(answer);
  if (!output.ok()) return output.status();

  const SimBlockPtr from = input->block();
  const SimBlockPtr into = output->block();
  const std::size_t out_words = model_.answer_bytes / sizeof(std::uint64_t);
  const auto kernel = [from, into, words, out_words, count = rows.size()] {
    const auto* source = reinterpret_cast<const std::uint64_t*>(from->memory.data());
    auto* target = reinterpret_cast<std::uint64_t*>(into->memory.data());
    for (std::size_t row = 0; row < count; ++row) {
      target = std::fill_n(target, out_words, Compute(source[row * words + row % words]));
    }
  };
  const auto duration = model_.compute_ns + model_.compute_ns_per_row * static_cast<std::int64_t>(rows.size());
  Status status = device_.CopyIn(stream, *input, *scratch.in, bytes);
  if (status.ok()) status = device_.Launch(stream, duration, {from, into}, kernel);
  if (status.ok()) status = device_.CopyOut(stream, *scratch.out, *output, answer);
  if (status.ok()) status = scratch.done->Record(stream);
  if (status.ok()) status = scratch.done->Wait();
  if (!status.ok()) return status;
  const auto* result = reinterpret_cast<const std::uint64_t*>(scratch.out->data());
  for (std::size_t row = 0; row < rows.size(); ++row) answers.push_back(result[row * out_words]);
  const auto count = static_cast<std::uint32_t>(rows.size());
  std::uint32_t largest = largest_.load();
  while (count > largest && !largest_.compare_exchange_weak(largest, count)) {
  }
  return Status::Ok();
}

}  // namespace sconce::sim
