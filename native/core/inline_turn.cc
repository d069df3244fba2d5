#include "core/inline_turn.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/clock.h"
#include "core/outcome.h"

namespace sconce {

namespace {

struct Slot {
  Slot(std::uint64_t model_id, const std::shared_ptr<Model>& pinned)
      : id(model_id), model(pinned), runner(pinned->runner()), scratch(pinned->NewInlineScratch()) {}

  const std::uint64_t id;                        // the model's
  const std::weak_ptr<Model> model;              // does not keep it from being unloaded
  const std::shared_ptr<Runner> runner;          // the scratch may point into it
  const std::unique_ptr<RunnerScratch> scratch;  // declared after the runner: destroyed before it
  std::vector<TaskPtr> waiting;                  // this turn's, in order of arrival
};

}  // namespace

struct InlineTurn::Impl {
  explicit Impl(std::int64_t budget) : budget_ns(budget) {}

  Slot& SlotOf(const std::shared_ptr<Model>& model);
  void FlushSlot(Slot& slot, std::vector<TaskPtr>& done);
  void HandOver(Model& model, Slot& slot, std::vector<TaskPtr>& done);
  void NextBatch(std::vector<TaskPtr>& waiting, std::uint32_t max_rows);

  const std::int64_t budget_ns;
  std::vector<std::unique_ptr<Slot>> slots;
  Slot* last = nullptr;      // used last; most turns have one model
  std::size_t first = 0;     // which slot the next Flush begins with
  std::size_t gathered = 0;  // tasks that wait in the slots
  std::int64_t spent_ns = 0;
  std::vector<TaskPtr> batch;  // scratch of FlushSlot and NextBatch; both keep their capacity
  std::vector<TaskPtr> rest;
};

Slot& InlineTurn::Impl::SlotOf(const std::shared_ptr<Model>& model) {
  const std::uint64_t id = model->id();
  if (last != nullptr && last->id == id) return *last;
  const auto found = std::ranges::find_if(slots, [&](const auto& slot) { return slot->id == id; });
  if (found != slots.end()) return *(last = found->get());
  std::erase_if(slots, [](const auto& slot) { return slot->waiting.empty() && slot->model.expired(); });
  slots.push_back(std::make_unique<Slot>(id, model));
  return *(last = slots.back().get());
}

// Moves the oldest task and what can run with it to `batch`, in order.
void InlineTurn::Impl::NextBatch(std::vector<TaskPtr>& waiting, std::uint32_t max_rows) {
  std::uint32_t rows = 0;
  batch.clear();
  rest.clear();
  for (TaskPtr& task : waiting) {
    const std::uint32_t more = RowCount(*task);
    const bool joins = batch.empty() || (rows + more <= max_rows && CanShareBatch(*batch.front(), *task));
    if (joins) rows += more;
    (joins ? batch : rest).push_back(std::move(task));
  }
  std::swap(waiting, rest);
}

void InlineTurn::Impl::HandOver(Model& model, Slot& slot, std::vector<TaskPtr>& done) {
  for (TaskPtr& task : slot.waiting) {
    const Status status = model.HandOver(task);
    if (status.ok()) continue;
    task->status = status;
    FinishTask(*task, MonotonicNs(), model.counters());
    done.push_back(std::move(task));
  }
  slot.waiting.clear();
}

void InlineTurn::Impl::FlushSlot(Slot& slot, std::vector<TaskPtr>& done) {
  if (slot.waiting.empty()) return;
  const std::shared_ptr<Model> model = slot.waiting.front()->model;
  while (!slot.waiting.empty()) {
    if (spent_ns >= budget_ns) return HandOver(*model, slot, done);
    NextBatch(slot.waiting, model->config().max_batch_rows);
    const InlineRun run = model->RunInline(batch, *slot.scratch);
    spent_ns += run.end_ns - run.start_ns;
    for (TaskPtr& task : batch) done.push_back(std::move(task));
  }
}

InlineTurn::InlineTurn(std::int64_t budget_ns) : impl_(std::make_unique<Impl>(budget_ns)) {}
InlineTurn::~InlineTurn() = default;

Status InlineTurn::Add(TaskPtr& task, bool* inlined) {
  Model& model = *task->model;
  // Pictures cost their decoded size, not the model's; they go to a lane.
  *inlined = model.InlineNow() && !task->is_image && RowCount(*task) <= model.config().max_batch_rows;
  if (!*inlined) return model.Submit(task);
  impl_->SlotOf(task->model).waiting.push_back(std::move(task));
  ++impl_->gathered;
  return Status::Ok();
}

bool InlineTurn::empty() const { return impl_->gathered == 0; }

std::vector<TaskPtr> InlineTurn::Flush() {
  std::vector<TaskPtr> done;
  if (impl_->gathered == 0) return done;
  done.reserve(impl_->gathered);
  impl_->spent_ns = 0;
  // The models take turns at being first, so that no other model's batches always use up the budget before theirs.
  const std::size_t count = impl_->slots.size();
  const std::size_t first = impl_->first++ % count;
  for (std::size_t i = 0; i < count; ++i) impl_->FlushSlot(*impl_->slots[(first + i) % count], done);
  impl_->gathered = 0;
  return done;
}

void InlineTurn::Forget(const Model* model) {
  impl_->last = nullptr;
  std::erase_if(impl_->slots, [&](const auto& slot) {
    return slot->waiting.empty() && (slot->model.expired() || slot->model.lock().get() == model);
  });
}

}  // namespace sconce
