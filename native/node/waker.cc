#include "node/waker.h"

#include <utility>

namespace sconce::node {

std::shared_ptr<Waker> Waker::Make(napi_env env, napi_value function, bool keep_alive,
                                   std::function<void(napi_env, napi_value)> on_wake, std::function<void()> on_close) {
  auto waker = std::make_shared<Waker>();
  waker->env_ = env;
  waker->on_wake_ = std::move(on_wake);
  waker->on_close_ = std::move(on_close);
  napi_value name;
  if (napi_create_string_utf8(env, "sconce", NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  // The handle's finalizer owns this reference: the runtime may call CallJs until then.
  auto* context = new std::shared_ptr<Waker>(waker);
  napi_threadsafe_function handle = nullptr;
  if (napi_create_threadsafe_function(env, function, nullptr, name, 0, 1, nullptr, Finalize, context, CallJs,
                                      &handle) != napi_ok) {
    delete context;
    return nullptr;
  }
  if (!keep_alive) napi_unref_threadsafe_function(env, handle);
  {
    MutexLock lock(waker->mutex_);
    waker->handle_ = handle;
  }
  // Hooks run last in, first out: ours before the handle's own, so no other thread uses a handle that is gone.
  napi_add_env_cleanup_hook(env, OnCleanup, waker.get());
  return waker;
}

void Waker::Wake() {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  MutexLock lock(mutex_);
  if (handle_) napi_call_threadsafe_function(handle_, nullptr, napi_tsfn_nonblocking);
}

void Waker::Close() {
  napi_threadsafe_function handle;
  {
    MutexLock lock(mutex_);
    handle = std::exchange(handle_, nullptr);
  }
  if (!handle) return;
  napi_remove_env_cleanup_hook(env_, OnCleanup, this);
  napi_release_threadsafe_function(handle, napi_tsfn_abort);
}

void Waker::OnCleanup(void* self) {
  auto* waker = static_cast<Waker*>(self);
  {
    MutexLock lock(waker->mutex_);
    waker->handle_ = nullptr;  // the runtime closes it next
  }
  if (waker->on_close_) std::exchange(waker->on_close_, nullptr)();
}

void Waker::CallJs(napi_env env, napi_value function, void* context, void*) {
  // Without an environment the runtime only empties the queue of a closed handle, after Finalize took the context.
  if (env == nullptr) return;
  std::shared_ptr<Waker> waker = *static_cast<std::shared_ptr<Waker>*>(context);
  waker->woken_.store(false, std::memory_order_release);
  if (waker->on_wake_) waker->on_wake_(env, function);
}

void Waker::Finalize(napi_env, void*, void* context) { delete static_cast<std::shared_ptr<Waker>*>(context); }

}  // namespace sconce::node
