#include "core/batch_policy.h"

#include <algorithm>
#include <limits>

namespace sconce {

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

struct Waiting {
  const BatchCandidate* oldest = nullptr;
  std::uint64_t rows = 0;                  // of all live tasks
  std::uint64_t sharing_rows = 0;          // of the live tasks that have the oldest one's shape
  std::int64_t nearest_deadline = kNever;  // of the live tasks
};

// Marks what is not wanted any more and sums up the rest.
Waiting Survey(std::span<const BatchCandidate> waiting, std::int64_t now_ns, std::span<Verdict> verdicts) {
  Waiting live;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    const BatchCandidate& task = waiting[i];
    verdicts[i] = Verdict::kLeave;
    if (task.cancelled) {
      verdicts[i] = Verdict::kCancelled;
    } else if (task.deadline_ns != 0 && now_ns >= task.deadline_ns) {
      verdicts[i] = Verdict::kExpired;
    } else {
      if (live.oldest == nullptr) live.oldest = &task;
      live.rows += task.rows;
      if (task.shape_key == live.oldest->shape_key) live.sharing_rows += task.rows;
      if (task.deadline_ns != 0) live.nearest_deadline = std::min(live.nearest_deadline, task.deadline_ns);
    }
  }
  return live;
}

std::uint64_t SharedBy(std::uint64_t rows, std::uint32_t executors) {
  const std::uint64_t count = std::max<std::uint32_t>(executors, 1);
  return (rows + count - 1) / count;
}

// What an executor that settles waits for; 0: it does not.
std::uint64_t SettlesFor(const Waiting& live, const BatchLimits& limits, std::int64_t now_ns) {
  if (limits.max_delay_ns > 0 || now_ns >= limits.settle_until_ns) return 0;
  return std::min<std::uint64_t>(limits.max_rows, SharedBy(live.rows + limits.outstanding, limits.executors));
}

std::uint64_t TargetRows(const Waiting& live, const BatchLimits& limits, std::uint64_t share) {
  if (limits.max_delay_ns > 0) return limits.max_rows;
  return std::min<std::uint64_t>(limits.max_rows, std::max(share, SharedBy(live.rows, limits.idle_executors)));
}

std::uint32_t Mark(std::span<const BatchCandidate> waiting, std::uint64_t key, std::uint64_t target, bool in_order,
                   std::span<Verdict> verdicts) {
  std::uint32_t taken = 0;
  std::uint64_t rows = 0;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    if (verdicts[i] != Verdict::kLeave) continue;
    if (waiting[i].shape_key != key) {
      if (in_order) break;
      continue;
    }
    if (taken > 0 && rows + waiting[i].rows > target) break;
    verdicts[i] = Verdict::kTake;
    rows += waiting[i].rows;
    ++taken;
    if (rows >= target) break;
  }
  return taken;
}

}  // namespace

BatchDecision ChooseBatch(std::span<const BatchCandidate> waiting, const BatchLimits& limits, std::int64_t now_ns,
                          std::span<Verdict> verdicts) {
  const Waiting live = Survey(waiting, now_ns, verdicts);
  if (live.oldest == nullptr) return {};
  const std::int64_t ripe_ns = live.oldest->enqueued_ns + limits.max_delay_ns;
  if (limits.max_delay_ns > 0 && live.sharing_rows < limits.max_rows && now_ns < ripe_ns) {
    return {.take = 0, .wait_until_ns = std::min(ripe_ns, live.nearest_deadline), .settles_for = 0};
  }
  const std::uint64_t share = SettlesFor(live, limits, now_ns);
  if (live.sharing_rows < share) {
    return {.take = 0,
            .wait_until_ns = std::min(limits.settle_until_ns, live.nearest_deadline),
            .settles_for = static_cast<std::uint32_t>(share)};
  }
  const std::uint64_t target = TargetRows(live, limits, share);
  return {.take = Mark(waiting, live.oldest->shape_key, target, limits.in_order, verdicts),
          .wait_until_ns = 0,
          .settles_for = 0};
}

}  // namespace sconce
