// The engine: one per process, shared by the main thread and every worker thread that loads the addon.
//
//   Engine& engine = Engine::Get();
//   engine.Open({.cores = 2, …});                     // main thread, once
//   engine.StartLoad("load-1", request, callbacks);   // loads on a loader thread
//   engine.Publish("load-1");                         // routed for every thread at once
//   engine.Remove("digits", "1.0", 5s, done);         // done(true) when the last pin is gone
//
// Thread: Open, StartLoad, Publish, Remove, SetDefault from the main thread; the rest from anywhere. Callbacks run on
// loader or unloader threads. The object is never destroyed: its threads may outlive the last environment, and static
// destructors that run at exit must not find it half gone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch_log.h"
#include "core/model.h"
#include "core/mutex.h"
#include "core/router.h"
#include "core/status.h"
#include "torch/loader.h"

namespace sconce::node {

// EngineOptions of src/engine/engine.ts.
struct EngineOptions {
  int cores = 1;                                          // cores the lanes may use together
  int load_parallelism = 1;                               // loader threads
  std::vector<double> latency_buckets;                    // seconds, ascending
  std::size_t max_decoded_bytes = std::size_t{64} << 20;  // decoded tensors of one request
  bool log_batches = false;                               // keep what TakeBatches gives
  torch_engine::DeviceOptions devices;
  bool operator==(const EngineOptions&) const = default;
};

struct LoadRequest {
  torch_engine::LoadSpec spec;  // `cancelled` and `progress` are filled by the engine
  std::size_t queue_capacity = 100;
  std::int64_t response_timeout_ns = 0;
  std::size_t max_instances = 1024;
  torch_engine::DeviceRequest device;
};

struct LoadOutcome {
  Status status;
  torch_engine::LoadReport report;
  std::uint32_t batch_rows = 1;
  ExecutorChoice executor = ExecutorChoice::kLane;
  std::string executor_reason;
};

struct LoadCallbacks {
  std::function<void(const char* phase)> progress;
  std::function<void(LoadOutcome outcome)> done;  // exactly once
};

struct ModelRow {
  std::shared_ptr<Model> model;
  bool is_default = false;
};

// Removed models on their way to the channels, which hold scratch memory for them. A notice pins its model, so neither
// the memory nor the address is reused before every channel let go.
class RemovalNotices {
 public:
  // `wake` is called from the thread that removes a model.
  explicit RemovalNotices(std::function<void()> wake) : wake_(std::move(wake)) {}

  void Post(std::shared_ptr<Model> model) EXCLUDES(mutex_);
  bool any() const { return any_.load(std::memory_order_acquire); }
  std::vector<std::shared_ptr<Model>> Take() EXCLUDES(mutex_);
  // No notice is kept any more; the channel is gone.
  void Close() EXCLUDES(mutex_);

 private:
  std::atomic<bool> any_ = false;
  Mutex mutex_;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Model>> removed_ GUARDED_BY(mutex_);
  std::function<void()> wake_ GUARDED_BY(mutex_);
};

class Engine {
 public:
  static Engine& Get();

  // Initialises libtorch and starts the threads. Again with equal options: ok; with others: kConflict.
  Status Open(const EngineOptions& options);
  bool is_open() const { return open_.load(std::memory_order_acquire); }
  // Valid once open.
  const EngineOptions& options() const { return options_; }

  // Before the process calls exit(), whose static destructors must not meet a thread of ours in libtorch: nothing new
  // starts from now on (kDraining), and what runs is waited for, at most patience_ns. What is left then ends with the
  // process, without destructors.
  void PrepareExit(std::int64_t patience_ns);
  // Requests are refused with kDraining: the process is on its way out.
  bool exiting() const { return exiting_.load(std::memory_order_relaxed); }

  // kConflict when the id is in use; kInvalidModel, kDeviceLost: no such device to load on; otherwise the outcome comes
  // by callbacks.done.
  Status StartLoad(const std::string& id, LoadRequest request, LoadCallbacks callbacks);
  // One that waits for its turn ends now, one under way after its phase. Unknown ids are ignored: the load may just
  // have ended.
  void CancelLoad(const std::string& id);
  // Gives up a finished load, or cancels one under way.
  void Discard(const std::string& id);
  // kNotReady: no finished load of this id. kConflict: the version is routed already.
  Status Publish(const std::string& id);
  // Publishes in one step in place of the version that is routed under the same name and number: every request meets
  // the one or the other. The old one ends as by Remove. kNotReady; kModelNotFound, kVersionNotFound: nothing to
  // replace.
  Status Replace(const std::string& id, std::int64_t timeout_ns, std::function<void(bool)> done);

  // The version gets no new requests from now on; those that it accepted are answered. `done(true)` when its last pin
  // is gone, `done(false)` after timeout_ns (unloading then goes on). kModelNotFound, kVersionNotFound.
  Status Remove(std::string_view name, std::string_view version, std::int64_t timeout_ns,
                std::function<void(bool)> done);
  Status SetDefault(std::string_view name, std::string_view version);

  // See Model::Resize. kModelNotFound, kVersionNotFound.
  Status Resize(std::string_view name, std::string_view version, int instances);

  // Queues a task with `explain`; see ExplainQueue::Submit. From any thread.
  Status Explain(TaskPtr& task);

  std::vector<ModelRow> Models() const;
  // The batches that have run since the last call; none without EngineOptions::log_batches.
  TakenBatches TakeBatches();
  const torch_engine::Devices& devices() const { return devices_; }
  const Router& router() const { return router_; }
  // "name/version" of ModelConfig::tag; "" when there is none.
  std::string TagName(std::uint32_t tag) const;

  std::shared_ptr<RemovalNotices> AddChannel(std::function<void()> wake);
  void DropChannel(const std::shared_ptr<RemovalNotices>& notices);

 private:
  struct State;
  struct Load;
  Engine();
  ~Engine() = delete;

  void LoaderMain();
  void UnloaderMain();
  std::shared_ptr<Model> LoadModel(const Load& load, LoadOutcome& outcome);
  std::uint32_t NewTag(std::string name);
  void RunLoad(const std::string& id, const std::shared_ptr<Load>& load);
  void Unload(std::shared_ptr<Model> model, std::int64_t timeout_ns, std::function<void(bool)> done);
  void Forget(const std::shared_ptr<Model>& model);
  std::vector<std::shared_ptr<Model>> EveryModel() const;
  bool Working() const;
  bool Busy() const;
  static void OnExit(int status, void* engine);

  std::atomic<bool> open_ = false;
  std::atomic<bool> exiting_ = false;
  EngineOptions options_;
  torch_engine::Devices devices_;
  Router router_;
  std::shared_ptr<BatchLog> batch_log_;  // null without EngineOptions::log_batches
  State* state_;
};

}  // namespace sconce::node
