#include "node/engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/clock.h"
#include "core/explain_queue.h"

namespace sconce::node {

namespace {

constexpr std::chrono::milliseconds kPinPoll{2};
constexpr char kLoadCancelled[] = "the load was cancelled";

Status NoFinishedLoad(const std::string& id) { return {Code::kNotReady, "no finished load is called \"" + id + "\""}; }

void NameThread(const char* name) { pthread_setname_np(pthread_self(), name); }

// A model on its way out and who waits for it.
struct Leaving {
  std::shared_ptr<Model> model;
  std::int64_t deadline_ns = 0;
  std::function<void(bool)> done;
};

}  // namespace

struct Engine::Load {
  LoadRequest request;
  LoadCallbacks callbacks;
  std::atomic<bool> cancelled = false;
  std::shared_ptr<Model> model;  // set when finished, guarded by State::mutex
};

struct Engine::State {
  mutable Mutex mutex;
  std::condition_variable_any load_ready;
  std::deque<std::pair<std::string, std::shared_ptr<Load>>> queue GUARDED_BY(mutex);
  std::unordered_map<std::string, std::shared_ptr<Load>> loads GUARDED_BY(mutex);
  int running GUARDED_BY(mutex) = 0;
  std::vector<std::string> tags GUARDED_BY(mutex) = {""};
  std::vector<std::shared_ptr<RemovalNotices>> channels GUARDED_BY(mutex);

  ExplainQueue explanations{kMaxWaitingExplanations};

  mutable Mutex leaving_mutex;
  std::condition_variable_any leaving_ready;
  std::vector<Leaving> leaving GUARDED_BY(leaving_mutex);
  bool ending GUARDED_BY(leaving_mutex) = false;  // models that have left are being taken apart
};

void RemovalNotices::Post(std::shared_ptr<Model> model) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    removed_.push_back(std::move(model));
    any_.store(true, std::memory_order_release);
    wake = wake_;
  }
  wake();
}

std::vector<std::shared_ptr<Model>> RemovalNotices::Take() {
  MutexLock lock(mutex_);
  any_.store(false, std::memory_order_release);
  return std::exchange(removed_, {});
}

void RemovalNotices::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  removed_.clear();
  wake_ = nullptr;
}

Engine& Engine::Get() {
  static Engine* const engine = new Engine();
  return *engine;
}

Engine::Engine() : state_(new State()) {}

Status Engine::Open(const EngineOptions& options) {
  MutexLock lock(state_->mutex);
  if (is_open()) {
    if (options == options_) return Status::Ok();
    return {Code::kConflict, "the engine of this process is open already with other options; it can be opened once"};
  }
  devices_.Open(options.devices);  // before libtorch is asked anything: it looks for CUDA once
  if (Status status = torch_engine::Initialise(); !status.ok()) return status;
  options_ = options;
  if (options.log_batches) batch_log_ = std::make_shared<BatchLog>();
  // Registered after libtorch was loaded, so it runs before libtorch's own static destructors.
  on_exit(&Engine::OnExit, this);
  for (int i = 0; i < std::max(1, options.load_parallelism); ++i) std::thread([this] { LoaderMain(); }).detach();
  std::thread([this] { UnloaderMain(); }).detach();
  open_.store(true, std::memory_order_release);
  return Status::Ok();
}

Status Engine::StartLoad(const std::string& id, LoadRequest request, LoadCallbacks callbacks) {
  Result<std::vector<const torch_engine::OpenDevice*>> places = devices_.Place(request.device);
  if (!places.ok()) return places.status();
  auto load = std::make_shared<Load>();
  load->request = std::move(request);
  load->request.spec.devices = std::move(*places);
  load->callbacks = std::move(callbacks);
  load->request.spec.cores = options_.cores;
  load->request.spec.cancelled = &load->cancelled;
  load->request.spec.progress = load->callbacks.progress;
  {
    MutexLock lock(state_->mutex);
    if (!state_->loads.emplace(id, load).second) {
      return {Code::kConflict, "a load called \"" + id + "\" is under way or waits to be published"};
    }
    state_->queue.emplace_back(id, std::move(load));
  }
  state_->load_ready.notify_one();
  return Status::Ok();
}

void Engine::CancelLoad(const std::string& id) {
  std::shared_ptr<Load> waited;
  {
    MutexLock lock(state_->mutex);
    auto found = state_->loads.find(id);
    if (found == state_->loads.end()) return;
    found->second->cancelled.store(true, std::memory_order_relaxed);
    auto turn = std::ranges::find(state_->queue, id, [](const auto& each) { return each.first; });
    if (turn == state_->queue.end()) return;  // its thread looks
    waited = std::move(turn->second);
    state_->queue.erase(turn);
    state_->loads.erase(found);
  }
  LoadOutcome outcome;
  outcome.status = {Code::kCancelled, kLoadCancelled};
  waited->callbacks.done(std::move(outcome));
}

void Engine::Discard(const std::string& id) {
  std::shared_ptr<Model> model;
  CancelLoad(id);
  {
    MutexLock lock(state_->mutex);
    auto found = state_->loads.find(id);
    if (found == state_->loads.end() || !found->second->model) return;  // still loading: RunLoad drops it
    model = std::move(found->second->model);
    state_->loads.erase(found);
  }
  Unload(std::move(model), 0, nullptr);
}

Status Engine::Publish(const std::string& id) {
  std::shared_ptr<Model> model;
  {
    MutexLock lock(state_->mutex);
    auto found = state_->loads.find(id);
    if (found == state_->loads.end() || !found->second->model) return NoFinishedLoad(id);
    const ModelConfig& config = found->second->model->config();
    if (router_.Resolve(router_.NameId(config.name), config.version).ok()) {
      return {Code::kConflict, "Model version " + config.version + " is already registered for model " + config.name};
    }
    model = std::move(found->second->model);
    state_->loads.erase(found);
  }
  router_.Publish(std::move(model));
  return Status::Ok();
}

Status Engine::Replace(const std::string& id, std::int64_t timeout_ns, std::function<void(bool)> done) {
  std::shared_ptr<Model> model;
  std::shared_ptr<Model> old;
  {
    MutexLock lock(state_->mutex);
    auto found = state_->loads.find(id);
    if (found == state_->loads.end() || !found->second->model) return NoFinishedLoad(id);
    const ModelConfig& config = found->second->model->config();
    Result<std::shared_ptr<Model>> routed = router_.Resolve(router_.NameId(config.name), config.version);
    if (!routed.ok()) return routed.status();
    old = *std::move(routed);
    model = std::move(found->second->model);
    state_->loads.erase(found);
  }
  router_.Publish(std::move(model));
  Forget(old);
  Unload(std::move(old), timeout_ns, std::move(done));
  return Status::Ok();
}

Status Engine::Remove(std::string_view name, std::string_view version, std::int64_t timeout_ns,
                      std::function<void(bool)> done) {
  std::shared_ptr<Model> model = router_.Remove(name, version);
  if (!model) {
    Result<std::shared_ptr<Model>> why = router_.Resolve(router_.NameId(name), version);
    if (!why.ok()) return why.status();
    return {Code::kModelNotFound, "Model not found: " + std::string(name)};
  }
  Forget(model);
  Unload(std::move(model), timeout_ns, std::move(done));
  return Status::Ok();
}

Status Engine::SetDefault(std::string_view name, std::string_view version) { return router_.SetDefault(name, version); }

Status Engine::Resize(std::string_view name, std::string_view version, int instances) {
  Result<std::shared_ptr<Model>> model = router_.Resolve(router_.NameId(name), version);
  return model.ok() ? (*model)->Resize(instances) : model.status();
}

Status Engine::Explain(TaskPtr& task) { return state_->explanations.Submit(task); }

std::vector<ModelRow> Engine::Models() const {
  std::vector<ModelRow> rows;
  for (std::shared_ptr<Model>& model : router_.All()) {
    Result<std::shared_ptr<Model>> chosen = router_.Resolve(router_.NameId(model->config().name), "");
    const bool is_default = chosen.ok() && *chosen == model;
    rows.push_back({std::move(model), is_default});
  }
  return rows;
}

TakenBatches Engine::TakeBatches() { return batch_log_ ? batch_log_->Take() : TakenBatches{}; }

std::uint32_t Engine::NewTag(std::string name) {
  MutexLock lock(state_->mutex);
  state_->tags.push_back(std::move(name));
  return static_cast<std::uint32_t>(state_->tags.size() - 1);
}

std::string Engine::TagName(std::uint32_t tag) const {
  MutexLock lock(state_->mutex);
  return tag < state_->tags.size() ? state_->tags[tag] : std::string();
}

std::shared_ptr<RemovalNotices> Engine::AddChannel(std::function<void()> wake) {
  auto notices = std::make_shared<RemovalNotices>(std::move(wake));
  MutexLock lock(state_->mutex);
  state_->channels.push_back(notices);
  return notices;
}

void Engine::DropChannel(const std::shared_ptr<RemovalNotices>& notices) {
  notices->Close();
  MutexLock lock(state_->mutex);
  std::erase(state_->channels, notices);
}

void Engine::Forget(const std::shared_ptr<Model>& model) {
  std::vector<std::shared_ptr<RemovalNotices>> channels;
  {
    MutexLock lock(state_->mutex);
    channels = state_->channels;
  }
  for (const auto& each : channels) each->Post(model);
}

void Engine::LoaderMain() {
  NameThread("sconce-load");
  for (;;) {
    std::pair<std::string, std::shared_ptr<Load>> next;
    {
      std::unique_lock<Mutex> lock(state_->mutex);
      state_->load_ready.wait(lock, [this] { return !state_->queue.empty(); });
      next = std::move(state_->queue.front());
      state_->queue.pop_front();
      ++state_->running;
    }
    RunLoad(next.first, next.second);
    MutexLock lock(state_->mutex);
    --state_->running;
  }
}

// The model, or why there is none (outcome.status). Exceptions stop here: out of memory or threads.
std::shared_ptr<Model> Engine::LoadModel(const Load& load, LoadOutcome& outcome) try {
  if (load.cancelled.load(std::memory_order_relaxed)) {
    outcome.status = {Code::kCancelled, kLoadCancelled};
    return nullptr;
  }
  Result<torch_engine::Loaded> loaded = torch_engine::Load(load.request.spec);
  if (!loaded.ok()) {
    outcome.status = loaded.status();
    return nullptr;
  }
  ModelConfig config = std::move(loaded->config);
  config.queue_capacity = load.request.queue_capacity;
  config.response_timeout_ns = load.request.response_timeout_ns;
  config.max_instances = load.request.max_instances;
  config.max_decoded_bytes = options_.max_decoded_bytes;
  config.latency_buckets = options_.latency_buckets;
  config.batch_log = batch_log_;
  config.tag = NewTag(config.name + "/" + config.version);
  outcome.report = std::move(loaded->report);
  outcome.batch_rows = config.max_batch_rows;
  std::shared_ptr<Model> model = Model::Start(std::move(config), std::move(loaded->runner));
  outcome.executor = model->executor();
  outcome.executor_reason = model->executor_reason();
  return model;
} catch (const std::bad_alloc&) {
  outcome.status = {Code::kOutOfMemory, "memory ran out while the model was loaded"};
  return nullptr;
} catch (const std::exception& error) {
  outcome.status = {Code::kInternal, std::string("the model could not be started: ") + error.what()};
  return nullptr;
}

void Engine::RunLoad(const std::string& id, const std::shared_ptr<Load>& load) {
  LoadOutcome outcome;
  std::shared_ptr<Model> model = LoadModel(*load, outcome);
  {
    MutexLock lock(state_->mutex);
    const bool cancelled = load->cancelled.load(std::memory_order_relaxed);
    if (model && !cancelled) {
      load->model = std::move(model);
    } else {
      state_->loads.erase(id);
    }
  }
  if (model) {  // cancelled at the last moment
    outcome.status = {Code::kCancelled, kLoadCancelled};
    Unload(std::move(model), 0, nullptr);
  }
  load->callbacks.done(std::move(outcome));
}

void Engine::Unload(std::shared_ptr<Model> model, std::int64_t timeout_ns, std::function<void(bool)> done) {
  MutexLock lock(state_->leaving_mutex);
  state_->leaving.push_back({std::move(model), MonotonicNs() + timeout_ns, std::move(done)});
  state_->leaving_ready.notify_one();
}

// Polls, because a pin is a plain shared_ptr that may be dropped on any thread, a lane of the model itself included;
// that thread cannot end the model. Only what is leaving is polled, so an idle server does not wake.
void Engine::UnloaderMain() {
  NameThread("sconce-unload");
  for (;;) {
    std::vector<Leaving> gone;
    std::vector<std::function<void(bool)>> late;
    {
      std::unique_lock<Mutex> lock(state_->leaving_mutex);
      auto& leaving = state_->leaving;
      if (leaving.empty()) state_->leaving_ready.wait(lock, [&] { return !leaving.empty(); });
      const std::int64_t now = MonotonicNs();
      for (Leaving& each : leaving) {
        if (each.model.use_count() == 1) {
          gone.push_back(std::move(each));
        } else if (each.done && now >= each.deadline_ns) {
          late.push_back(std::exchange(each.done, nullptr));
        }
      }
      std::erase_if(leaving, [](const Leaving& each) { return each.model == nullptr; });
      state_->ending = !gone.empty();
    }
    for (auto& done : late) done(false);
    for (Leaving& each : gone) {
      each.model->Stop();
      each.model.reset();
      if (each.done) each.done(true);
    }
    if (gone.empty()) {
      std::this_thread::sleep_for(kPinPoll);
    } else {
      MutexLock lock(state_->leaving_mutex);
      state_->ending = false;
    }
  }
}

// Routed, loaded and not routed yet, or on its way out.
std::vector<std::shared_ptr<Model>> Engine::EveryModel() const {
  std::vector<std::shared_ptr<Model>> models = router_.All();
  {
    MutexLock lock(state_->mutex);
    for (const auto& [id, load] : state_->loads) {
      if (load->model) models.push_back(load->model);
    }
  }
  MutexLock lock(state_->leaving_mutex);
  for (const Leaving& each : state_->leaving) models.push_back(each.model);
  return models;
}

// Whether some thread of ours may be in libtorch.
bool Engine::Working() const {
  {
    MutexLock lock(state_->mutex);
    if (state_->running > 0) return true;
  }
  if (state_->explanations.busy()) return true;
  if (std::ranges::any_of(EveryModel(), [](const auto& model) { return model->in_flight() > 0; })) return true;
  MutexLock lock(state_->leaving_mutex);
  return state_->ending;
}

bool Engine::Busy() const {
  if (Working()) return true;
  MutexLock lock(state_->leaving_mutex);
  return !state_->leaving.empty();
}

void Engine::PrepareExit(std::int64_t patience_ns) {
  exiting_.store(true, std::memory_order_relaxed);
  {
    MutexLock lock(state_->mutex);
    for (const auto& [id, load] : state_->loads) load->cancelled.store(true, std::memory_order_relaxed);
  }
  for (const auto& model : EveryModel()) model->Close();
  state_->explanations.Close();
  const std::int64_t deadline_ns = MonotonicNs() + patience_ns;
  while (Working() && MonotonicNs() < deadline_ns) std::this_thread::sleep_for(kPinPoll);
  // Asked for anew: a load that was under way has left its model with the unloader, which ends none that is held here.
  const std::vector<std::shared_ptr<Model>> models = EveryModel();
  if (!Working()) {
    for (const auto& model : models) model->Stop();
  }
  // Once more: handlers run in reverse order, and libtorch has made static objects since Open.
  on_exit(&Engine::OnExit, this);
}

// Threads of ours that run libtorch while its static destructors run would crash the process. Idle ones are harmless,
// busy ones cannot be stopped in the middle of a model: then the process ends here, with its status and its output.
// See PrepareExit, which leaves little to this.
void Engine::OnExit(int status, void* engine) {
  Engine& self = *static_cast<Engine*>(engine);
  self.exiting_.store(true, std::memory_order_relaxed);
  if (!self.Busy()) {
    WaitForDroppedModels();  // models that nobody holds any more may still be on their way out
    return;
  }
  fflush(nullptr);
  _exit(status);
}

}  // namespace sconce::node
