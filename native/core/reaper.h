// Ends what cannot be ended where its last owner let go: a model's lanes cannot join themselves, and an event loop must
// not wait for weights to be freed. One background thread for the process, started by the first piece of work.
// Thread: any.
#pragma once

#include <functional>

namespace sconce {

// Runs `work` on the reaper's thread, after what was posted before. `work` is destroyed there too.
void PostToReaper(std::function<void()> work);

// Returns when everything posted so far has run. Not from the reaper's own work.
void WaitForReaper();

}  // namespace sconce
