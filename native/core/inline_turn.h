// The requests that arrive in one turn of an event loop and run at the end of that turn on the loop's own thread.
// Thread: belongs to one environment (HTTP thread); nothing here is shared.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/model.h"
#include "core/task.h"

namespace sconce {

class InlineTurn {
 public:
  // `budget_ns`: what all inline runs of one turn may take together.
  explicit InlineTurn(std::int64_t budget_ns = kInlineTurnBudgetNs);
  ~InlineTurn();

  // Routes an arrived, decoded task: to this turn's batch of its model, or to the model's lanes. When the task cannot
  // be taken the Status says why and the task is left with the caller. *inlined tells which way it went. The task has
  // its model and its sink (the turn may hand it to a lane) set.
  Status Add(TaskPtr& task, bool* inlined);

  bool empty() const;

  // Runs what was gathered within the budget, hands the rest to lanes, returns the finished tasks.
  std::vector<TaskPtr> Flush();

  // Drops the scratch of a model that is no longer routed, and of those that are gone. Until then it keeps the weights
  // in memory, but not the model from being unloaded.
  void Forget(const Model* model);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sconce
