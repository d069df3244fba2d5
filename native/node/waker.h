// Wakes one environment from other threads. The JavaScript function is called on the environment's thread, once for any
// number of Wake() before it ran; an environment that is going down is simply not woken any more.
// Thread: made and Close()d on the environment's thread; Wake from any.
#pragma once

#include <node_api.h>

#include <atomic>
#include <functional>
#include <memory>

#include "core/mutex.h"

namespace sconce::node {

class Waker {
 public:
  // `on_wake` runs on the environment's thread with `function` (may be null when it is not needed). `on_close` runs
  // there when the environment goes down, before any of its handles are closed. keep_alive: the event loop does not
  // end before Close(). Null when the runtime refuses.
  static std::shared_ptr<Waker> Make(napi_env env, napi_value function, bool keep_alive,
                                     std::function<void(napi_env, napi_value)> on_wake, std::function<void()> on_close);
  void Wake() EXCLUDES(mutex_);
  // No call after this. Idempotent.
  void Close() EXCLUDES(mutex_);

 private:
  static void CallJs(napi_env env, napi_value function, void* context, void* data);
  static void Finalize(napi_env env, void* data, void* context);
  static void OnCleanup(void* self);

  napi_env env_ = nullptr;
  std::atomic<bool> woken_ = false;
  std::function<void(napi_env, napi_value)> on_wake_;  // environment's thread only
  std::function<void()> on_close_;                     // environment's thread only
  Mutex mutex_;
  napi_threadsafe_function handle_ GUARDED_BY(mutex_) = nullptr;
};

}  // namespace sconce::node
