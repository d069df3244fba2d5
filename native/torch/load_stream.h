// Making weights on a device: whatever the work queues there is in one stream and done before anybody uses it. Without
// a stream it would run in the device's default one, which those of the lanes do not wait for. Thread: a loader thread.
#pragma once

#include <memory>
#include <utility>

#include "core/device.h"

namespace sconce::torch_engine {

// `make` gives a Result; its failure, the stream's or the value. On the host it just runs.
template <typename Make>
auto InLoadStream(const Device& device, Make&& make) -> decltype(make()) {
  if (device.is_host()) return make();
  Result<std::unique_ptr<Stream>> stream = device.NewStream(StreamPriority::kNormal);
  if (!stream.ok()) return stream.status();
  const StreamGuard guard(**stream);
  auto made = make();
  const Status done = (*stream)->Synchronise();
  if (done.code() == Code::kDeviceLost || (made.ok() && !done.ok())) return done;
  return made;
}

}  // namespace sconce::torch_engine
