// The addon's exports, one per function of src/engine/engine.ts that is not on a channel. Context-aware: what touches
// JavaScript belongs to the environment that called and ends with it; the engine itself is the process's.
// Thread: each function on the thread of the environment that calls it.

#include <napi.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "node/channel_binding.h"
#include "node/convert.h"
#include "node/engine.h"
#include "node/sockets.h"
#include "node/waker.h"

namespace sconce::node {
namespace {

void Check(Napi::Env env, const Status& status) {
  if (!status.ok()) throw ToError(env, status);
}

Engine& OpenEngine(Napi::Env env) {
  Engine& engine = Engine::Get();
  if (!engine.is_open()) Check(env, {Code::kNotReady, "the engine is not open: the main thread opens it first"});
  return engine;
}

// Events of one load or removal on their way to a JavaScript callback. The event loop stays alive until the last one.
class Events {
 public:
  using Event = std::function<void(Napi::Env, const Napi::Function&)>;

  static std::shared_ptr<Events> Make(Napi::Env env, const Napi::Function& callback) {
    auto events = std::make_shared<Events>();
    std::weak_ptr<Events> weak = events;
    events->waker_ = Waker::Make(
        env, callback, true,
        [weak](napi_env env_now, napi_value function) {
          if (auto self = weak.lock()) self->Deliver(env_now, function);
        },
        [weak] {
          if (auto self = weak.lock()) self->self_.reset();
        });
    if (!events->waker_) throw Napi::Error::New(env, "the runtime refused a thread-safe function");
    events->self_ = events;
    return events;
  }

  // From any thread. The last event releases the object.
  void Post(Event event, bool last) {
    {
      MutexLock lock(mutex_);
      queue_.push_back({std::move(event), last});
    }
    waker_->Wake();
  }

  // Environment's thread: nothing will be posted.
  void Abandon() {
    waker_->Close();
    self_.reset();
  }

 private:
  struct Item {
    Event event;
    bool last;
  };

  void Deliver(napi_env env, napi_value function) {
    std::shared_ptr<Events> keep = self_;
    std::deque<Item> items;
    {
      MutexLock lock(mutex_);
      items.swap(queue_);
    }
    for (Item& item : items) {
      if (item.last) Abandon();
      try {
        item.event(env, Napi::Function(env, function));
      } catch (const Napi::Error& error) {
        error.ThrowAsJavaScriptException();
        return;
      }
    }
  }

  std::shared_ptr<Waker> waker_;
  std::shared_ptr<Events> self_;  // until the last event; environment's thread only
  Mutex mutex_;
  std::deque<Item> queue_ GUARDED_BY(mutex_);
};

void Open(const Napi::CallbackInfo& info) {
  Check(info.Env(), Engine::Get().Open(ToOptions(info[0].As<Napi::Object>())));
}

Napi::Value IsOpen(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), Engine::Get().is_open()); }

// prepareExit(patienceMs): the last call.
void PrepareExit(const Napi::CallbackInfo& info) {
  Engine::Get().PrepareExit(static_cast<std::int64_t>(info[0].ToNumber().DoubleValue() * 1e6));
}

// exitNow(status): ends the process without waiting for threads that never come back, as those in a dead file system.
void ExitNow(const Napi::CallbackInfo& info) {
  fflush(nullptr);
  _exit(info[0].ToNumber().Int32Value());
}

Napi::Value Info(const Napi::CallbackInfo& info) { return FromInfo(info.Env(), torch_engine::Info()); }

Events::Event Progress(std::string phase) {
  return [phase = std::move(phase)](Napi::Env env, const Napi::Function& call) {
    call.Call({Napi::String::New(env, "progress"), Napi::String::New(env, phase)});
  };
}

Events::Event Ended(LoadOutcome outcome) {
  return [outcome = std::move(outcome)](Napi::Env env, const Napi::Function& call) {
    if (outcome.status.ok()) {
      call.Call({Napi::String::New(env, "done"), FromOutcome(env, outcome)});
      return;
    }
    const auto code = Napi::Number::New(env, static_cast<double>(outcome.status.code()));
    call.Call({Napi::String::New(env, "failed"), code, Napi::String::New(env, outcome.status.message())});
  };
}

Events::Event Removed(bool gone) {
  return [gone](Napi::Env env, const Napi::Function& call) { call.Call({Napi::Boolean::New(env, gone)}); };
}

// load(spec, loadId, onEvent): onEvent("progress", phase)… as each begins, then ("done", report) or ("failed", code,
// message).
void Load(const Napi::CallbackInfo& info) {
  Engine& engine = OpenEngine(info.Env());
  LoadRequest request = ToLoadRequest(info[0].As<Napi::Object>());
  const std::string id = info[1].ToString().Utf8Value();
  std::shared_ptr<Events> events = Events::Make(info.Env(), info[2].As<Napi::Function>());
  LoadCallbacks callbacks;
  callbacks.progress = [events](const char* phase) { events->Post(Progress(phase), false); };
  callbacks.done = [events](LoadOutcome outcome) { events->Post(Ended(std::move(outcome)), true); };
  Status started = engine.StartLoad(id, std::move(request), std::move(callbacks));
  if (!started.ok()) events->Abandon();
  Check(info.Env(), started);
}

void CancelLoad(const Napi::CallbackInfo& info) { OpenEngine(info.Env()).CancelLoad(info[0].ToString().Utf8Value()); }

void Discard(const Napi::CallbackInfo& info) { OpenEngine(info.Env()).Discard(info[0].ToString().Utf8Value()); }

void Publish(const Napi::CallbackInfo& info) {
  Check(info.Env(), OpenEngine(info.Env()).Publish(info[0].ToString().Utf8Value()));
}

// replace(loadId, timeoutMs, onDone): onDone(gone)
void Replace(const Napi::CallbackInfo& info) {
  Engine& engine = OpenEngine(info.Env());
  std::shared_ptr<Events> events = Events::Make(info.Env(), info[2].As<Napi::Function>());
  const auto timeout_ns = static_cast<std::int64_t>(info[1].ToNumber().DoubleValue() * 1e6);
  auto done = [events](bool gone) { events->Post(Removed(gone), true); };
  Status replaced = engine.Replace(info[0].ToString().Utf8Value(), timeout_ns, done);
  if (!replaced.ok()) events->Abandon();
  Check(info.Env(), replaced);
}

// remove(name, version, timeoutMs, onDone): onDone(gone)
void Remove(const Napi::CallbackInfo& info) {
  Engine& engine = OpenEngine(info.Env());
  std::shared_ptr<Events> events = Events::Make(info.Env(), info[3].As<Napi::Function>());
  const auto timeout_ns = static_cast<std::int64_t>(info[2].ToNumber().DoubleValue() * 1e6);
  auto done = [events](bool gone) { events->Post(Removed(gone), true); };
  Status removed = engine.Remove(info[0].ToString().Utf8Value(), info[1].ToString().Utf8Value(), timeout_ns, done);
  if (!removed.ok()) events->Abandon();
  Check(info.Env(), removed);
}

void SetDefault(const Napi::CallbackInfo& info) {
  Check(info.Env(), OpenEngine(info.Env()).SetDefault(info[0].ToString().Utf8Value(), info[1].ToString().Utf8Value()));
}

// resize(name, version, instances)
void Resize(const Napi::CallbackInfo& info) {
  Check(info.Env(),
        OpenEngine(info.Env())
            .Resize(info[0].ToString().Utf8Value(), info[1].ToString().Utf8Value(), info[2].ToNumber().Int32Value()));
}

Napi::Value Stats(const Napi::CallbackInfo& info) {
  const std::vector<ModelRow> rows = OpenEngine(info.Env()).Models();
  Napi::Array array = Napi::Array::New(info.Env(), rows.size());
  std::uint32_t i = 0;
  for (const ModelRow& row : rows) array.Set(i++, FromModel(info.Env(), row));
  return array;
}

Napi::Value TakeBatches(const Napi::CallbackInfo& info) {
  return FromBatches(info.Env(), OpenEngine(info.Env()).TakeBatches());
}

// What was found at the start: library, driver, problem, found, inUse.
Napi::Value Gpus(const Napi::CallbackInfo& info) { return FromPicture(info.Env(), OpenEngine(info.Env()).devices()); }

// The devices in use, as they are now.
Napi::Value DeviceStats(const Napi::CallbackInfo& info) {
  const auto& devices = OpenEngine(info.Env()).devices().all();
  Napi::Array array = Napi::Array::New(info.Env(), devices.size());
  std::uint32_t i = 0;
  for (const auto& device : devices) array.Set(i++, FromDevice(info.Env(), *device));
  return array;
}

Napi::Value TagName(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), Engine::Get().TagName(info[0].ToNumber().Uint32Value()));
}

// Turns C++ exceptions other than JavaScript's own into JavaScript ones.
template <auto F>
Napi::Value Guard(const Napi::CallbackInfo& info) {
  try {
    if constexpr (std::is_void_v<decltype(F(info))>) {
      F(info);
      return info.Env().Undefined();
    } else {
      return F(info);
    }
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw ToError(info.Env(), {Code::kOutOfMemory, "memory ran out in the engine"});
  } catch (const std::exception& error) {
    throw ToError(info.Env(), {Code::kInternal, error.what()});
  }
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* state = new EnvironmentState();
  napi_set_instance_data(
      env, state, [](napi_env, void* data, void*) { delete static_cast<EnvironmentState*>(data); }, nullptr);
  exports.Set("open", Napi::Function::New<Guard<Open>>(env));
  exports.Set("isOpen", Napi::Function::New<Guard<IsOpen>>(env));
  exports.Set("prepareExit", Napi::Function::New<Guard<PrepareExit>>(env));
  exports.Set("exitNow", Napi::Function::New<Guard<ExitNow>>(env));
  exports.Set("info", Napi::Function::New<Guard<Info>>(env));
  exports.Set("load", Napi::Function::New<Guard<Load>>(env));
  exports.Set("cancelLoad", Napi::Function::New<Guard<CancelLoad>>(env));
  exports.Set("discard", Napi::Function::New<Guard<Discard>>(env));
  exports.Set("replace", Napi::Function::New<Guard<Replace>>(env));
  exports.Set("publish", Napi::Function::New<Guard<Publish>>(env));
  exports.Set("remove", Napi::Function::New<Guard<Remove>>(env));
  exports.Set("setDefault", Napi::Function::New<Guard<SetDefault>>(env));
  exports.Set("resize", Napi::Function::New<Guard<Resize>>(env));
  exports.Set("stats", Napi::Function::New<Guard<Stats>>(env));
  exports.Set("takeBatches", Napi::Function::New<Guard<TakeBatches>>(env));
  exports.Set("gpus", Napi::Function::New<Guard<Gpus>>(env));
  exports.Set("deviceStats", Napi::Function::New<Guard<DeviceStats>>(env));
  exports.Set("tagName", Napi::Function::New<Guard<TagName>>(env));
  ExportSockets(env, exports);
  napi_value open_channel = nullptr;
  napi_create_function(env, "openChannel", NAPI_AUTO_LENGTH, ChannelBinding::Open, nullptr, &open_channel);
  exports.Set("openChannel", open_channel);
  return exports;
}

}  // namespace
}  // namespace sconce::node

static Napi::Object InitSconce(Napi::Env env, Napi::Object exports) { return sconce::node::Init(env, exports); }
NODE_API_MODULE(sconce, InitSconce)
