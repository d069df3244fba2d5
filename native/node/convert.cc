#include "node/convert.h"

#include <string>
#include <vector>

#include "core/spread_runner.h"

namespace sconce::node {

namespace {

constexpr double kNsPerMs = 1e6;

Napi::Value Get(const Napi::Object& from, const char* key) {
  Napi::Value value = from.Get(key);
  if (value.IsUndefined() || value.IsNull()) {
    throw Napi::TypeError::New(from.Env(), std::string("engine: the property ") + key + " is missing");
  }
  return value;
}

double Num(const Napi::Object& from, const char* key) { return Get(from, key).ToNumber().DoubleValue(); }
std::string Str(const Napi::Object& from, const char* key) { return Get(from, key).ToString().Utf8Value(); }
bool Flag(const Napi::Object& from, const char* key) { return Get(from, key).ToBoolean().Value(); }
bool Has(const Napi::Object& from, const char* key) { return !from.Get(key).IsUndefined(); }

template <typename F>
void Each(const Napi::Value& list, F&& visit) {
  Napi::Array array = list.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) visit(array.Get(i));
}

InputSpec ToInput(const Napi::Object& from) {
  InputSpec input;
  input.name = Str(from, "name");
  const std::string dtype = Str(from, "dtype");
  auto parsed = ParseDType(dtype);
  if (!parsed) throw Napi::TypeError::New(from.Env(), "input " + input.name + ": unknown dtype " + dtype);
  input.dtype = *parsed;
  input.optional = Flag(from, "optional");
  Each(Get(from, "shape"), [&](const Napi::Value& size) {
    if (!input.shape.push_back(size.ToNumber().Int64Value())) {
      throw Napi::TypeError::New(from.Env(),
                                 "input " + input.name + ": more than " + std::to_string(kMaxDims) + " dimensions");
    }
  });
  return input;
}

Signature ToSignature(const Napi::Object& from) {
  Signature signature;
  signature.declared = Flag(from, "declared");
  Each(Get(from, "inputs"),
       [&](const Napi::Value& input) { signature.inputs.push_back(ToInput(input.As<Napi::Object>())); });
  Each(Get(from, "outputs"),
       [&](const Napi::Value& name) { signature.outputs.push_back(name.ToString().Utf8Value()); });
  return signature;
}

torch_engine::ImageTransform ToTransform(const Napi::Object& from) {
  torch_engine::ImageTransform image;
  image.resize = static_cast<int>(Num(from, "resize"));
  image.crop = static_cast<int>(Num(from, "crop"));
  image.channels = static_cast<int>(Num(from, "channels"));
  image.bgr = Flag(from, "bgr");
  image.interpolation = Str(from, "interpolation");
  Each(Get(from, "mean"), [&](const Napi::Value& v) { image.mean.push_back(v.ToNumber().FloatValue()); });
  Each(Get(from, "std"), [&](const Napi::Value& v) { image.std.push_back(v.ToNumber().FloatValue()); });
  return image;
}

ExecutorChoice ToExecutor(const std::string& word) {
  if (word == "inline") return ExecutorChoice::kInline;
  return word == "lane" ? ExecutorChoice::kLane : ExecutorChoice::kAuto;
}

const char* ExecutorWord(ExecutorChoice choice) { return choice == ExecutorChoice::kInline ? "inline" : "lane"; }

template <typename Values>
Napi::Array Numbers(Napi::Env env, const Values& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  std::uint32_t i = 0;
  for (auto value : values) array.Set(i++, Napi::Number::New(env, static_cast<double>(value)));
  return array;
}

Napi::Object FromHistogram(Napi::Env env, const HistogramSnapshot& histogram) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("bounds", Numbers(env, histogram.bounds));
  object.Set("counts", Numbers(env, histogram.counts));
  object.Set("sum", histogram.sum);
  return object;
}

Napi::Object FromOutput(Napi::Env env, const LeafInfo& output) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", output.name);
  object.Set("dtype", std::string(DTypeName(output.dtype)));
  object.Set("shape", Numbers(env, output.shape.dims()));
  if (output.text) {  // its bytes are no dimension that clients see
    object.Set("dtype", "string");
    object.Set("shape", Napi::Array::New(env));
  }
  return object;
}

}  // namespace

EngineOptions ToOptions(const Napi::Object& options) {
  EngineOptions made;
  made.cores = static_cast<int>(Num(options, "cores"));
  made.load_parallelism = static_cast<int>(Num(options, "loadParallelism"));
  made.max_decoded_bytes = static_cast<std::size_t>(Num(options, "maxDecodedBytes"));
  made.log_batches = Has(options, "logBatches") && Flag(options, "logBatches");
  if (Has(options, "gpu")) {
    const Napi::Object gpu = options.Get("gpu").As<Napi::Object>();
    made.devices.library = Str(gpu, "library");
    made.devices.max_running = static_cast<std::uint32_t>(Num(gpu, "concurrency"));
    if (Has(gpu, "most")) made.devices.most = static_cast<int>(Num(gpu, "most"));
  }
  Each(Get(options, "latencyBuckets"),
       [&](const Napi::Value& bound) { made.latency_buckets.push_back(bound.ToNumber().DoubleValue()); });
  return made;
}

torch_engine::Precision ToPrecision(const std::string& name) {
  if (name == "bfloat16") return torch_engine::Precision::kBfloat16;
  if (name == "float16") return torch_engine::Precision::kFloat16;
  return name == "auto" ? torch_engine::Precision::kAuto : torch_engine::Precision::kFloat32;
}

LoadRequest ToLoadRequest(const Napi::Object& spec) {
  LoadRequest request;
  request.queue_capacity = static_cast<std::size_t>(Num(spec, "jobQueueSize"));
  request.response_timeout_ns = static_cast<std::int64_t>(Num(spec, "responseTimeoutMs") * kNsPerMs);
  request.max_instances = static_cast<std::size_t>(Num(spec, "maxInstances"));
  torch_engine::LoadSpec& load = request.spec;
  load.path = Str(spec, "artifact");
  load.kind = Str(spec, "kind") == "aotinductor" ? torch_engine::ArtifactKind::kAotInductor
                                                 : torch_engine::ArtifactKind::kTorchScript;
  load.name = Str(spec, "name");
  load.version = Str(spec, "version");
  load.signature = ToSignature(Get(spec, "signature").As<Napi::Object>());
  if (Has(spec, "batchSize")) load.batch_size = static_cast<std::uint32_t>(Num(spec, "batchSize"));
  load.max_batch_delay_ns = static_cast<std::int64_t>(Num(spec, "maxBatchDelayMs") * kNsPerMs);
  if (Has(spec, "warmup")) load.warmup_npy = Str(spec, "warmup");
  if (Has(spec, "precision")) load.precision = ToPrecision(Str(spec, "precision"));
  if (Has(spec, "precisionTolerance")) load.precision_tolerance = Num(spec, "precisionTolerance");
  load.stateful = Flag(spec, "stateful");
  load.executor = ToExecutor(Str(spec, "executor"));
  load.instances = static_cast<int>(Num(spec, "instances"));
  if (Has(spec, "gpu")) {
    const Napi::Object gpu = spec.Get("gpu").As<Napi::Object>();
    request.device.gpu = true;
    request.device.instances = static_cast<int>(Num(gpu, "instances"));
    Each(Get(gpu, "ids"), [&](const Napi::Value& id) { request.device.ids.push_back(id.ToNumber().Int32Value()); });
    load.priority = Str(gpu, "priority") == "high" ? StreamPriority::kHigh : StreamPriority::kNormal;
  }
  Napi::Object handler = Get(spec, "handler").As<Napi::Object>();
  if (Has(handler, "image")) load.image = ToTransform(handler.Get("image").As<Napi::Object>());
  return request;
}

Napi::Object FromOutcome(Napi::Env env, const LoadOutcome& outcome) {
  const torch_engine::LoadReport& report = outcome.report;
  Napi::Object object = Napi::Object::New(env);
  object.Set("form", report.form);
  object.Set("formReason", report.form_reason);
  object.Set("batchSize", outcome.batch_rows);
  object.Set("batchReason", report.batch_reason);
  object.Set("warmup", report.warmup_reason);
  object.Set("executor", ExecutorWord(outcome.executor));
  object.Set("executorReason", outcome.executor_reason);
  Napi::Array outputs = Napi::Array::New(env, report.outputs.size());
  for (std::uint32_t i = 0; i < report.outputs.size(); ++i) outputs.Set(i, FromOutput(env, report.outputs[i]));
  object.Set("outputs", outputs);
  object.Set("weightsBytes", static_cast<double>(report.weights_bytes));
  object.Set("loadSeconds", report.load_seconds);
  object.Set("warmBatchP90Us", report.warm_batch_p90_us);
  return object;
}

Napi::Value FromBatches(Napi::Env env, const TakenBatches& taken) {
  constexpr std::size_t kHead = 5;
  Napi::Float64Array packed = Napi::Float64Array::New(env, 1 + kHead * taken.batches.size() + taken.waits_ns.size());
  double* at = packed.Data();
  const std::int64_t* wait_ns = taken.waits_ns.data();
  *at++ = static_cast<double>(taken.left_out);
  for (const LoggedBatch& batch : taken.batches) {
    *at++ = batch.tag;
    *at++ = static_cast<double>(batch.ended_s);
    *at++ = static_cast<double>(batch.run_ns) / kNsPerMs;
    *at++ = static_cast<double>(batch.outside_ns) / kNsPerMs;
    *at++ = batch.answered;
    for (std::uint32_t i = 0; i < batch.answered; ++i) *at++ = static_cast<double>(*wait_ns++) / kNsPerMs;
  }
  return packed;
}

Napi::Object FromModel(Napi::Env env, const ModelRow& row) {
  Model& model = *row.model;
  const CountersSnapshot counted = model.counters().Read();
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", model.config().name);
  object.Set("version", model.config().version);
  object.Set("isDefault", row.is_default);
  object.Set("queueDepth", static_cast<double>(model.queue_depth()));
  object.Set("inFlight", static_cast<double>(model.in_flight()));
  object.Set("instances", model.instances());
  object.Set("lanes", model.lanes());
  object.Set("executor", ExecutorWord(model.executor()));
  object.Set("executorReason", model.executor_reason());
  if (const auto* spread = dynamic_cast<const SpreadRunner*>(model.runner().get())) {
    object.Set("gpus", Numbers(env, spread->Instances()));
    object.Set("batchLimit", spread->batch_limit());
    if (!spread->in_service()) object.Set("broken", model.instances());
  }
  object.Set("requestsByCode", Numbers(env, counted.requests_by_code));
  object.Set("requestBytes", static_cast<double>(counted.request_bytes));
  object.Set("responseBytes", static_cast<double>(counted.response_bytes));
  object.Set("batches", static_cast<double>(counted.batches));
  object.Set("inlineBatches", static_cast<double>(counted.inline_batches));
  object.Set("rows", static_cast<double>(counted.rows));
  Napi::Object named = Napi::Object::New(env);
  named.Set("requests", static_cast<double>(counted.named_requests));
  named.Set("requestSeconds", counted.named_request_seconds);
  named.Set("queueSeconds", counted.named_queue_seconds);
  object.Set("named", named);
  object.Set("requestSeconds", FromHistogram(env, counted.request_seconds));
  object.Set("queueSeconds", FromHistogram(env, counted.queue_seconds));
  object.Set("inferenceSeconds", FromHistogram(env, counted.inference_seconds));
  object.Set("batchRows", FromHistogram(env, counted.batch_rows));
  return object;
}

Napi::Object FromDevice(Napi::Env env, const torch_engine::OpenDevice& device) {
  const DeviceFigures figures = device.state->Figures();
  Napi::Object object = Napi::Object::New(env);
  object.Set("index", device.row.index);
  object.Set("name", figures.name);
  object.Set("hardware", device.row.name);
  object.Set("architecture", device.row.architecture);
  object.Set("totalBytes", static_cast<double>(device.row.total_bytes));
  object.Set("inService", figures.in_service);
  object.Set("reason", figures.reason);
  object.Set("capacityBytes", static_cast<double>(figures.capacity_bytes));
  object.Set("reservedBytes", static_cast<double>(figures.reserved_bytes));
  object.Set("running", figures.running);
  object.Set("waiting", figures.waiting);
  object.Set("batches", static_cast<double>(figures.batches));
  object.Set("busySeconds", static_cast<double>(figures.busy_ns) * 1e-9);
  object.Set("splits", static_cast<double>(figures.splits));
  Napi::Object models = Napi::Object::New(env);
  for (const auto& [name, bytes] : figures.models) models.Set(name, static_cast<double>(bytes));
  object.Set("models", models);
  return object;
}

Napi::Object FromPicture(Napi::Env env, const torch_engine::Devices& devices) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("library", devices.picture().library);
  object.Set("driver", devices.picture().driver);
  object.Set("problem", devices.problem());
  object.Set("found", static_cast<double>(devices.picture().devices.size()));
  object.Set("inUse", static_cast<double>(devices.all().size()));
  return object;
}

Napi::Object FromInfo(Napi::Env env, const torch_engine::BuildInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("builtAgainst", info.built_against);
  object.Set("libtorch", info.running);
  object.Set("cuda", info.cuda);
  object.Set("cpuCapability", info.cpu_capability);
  object.Set("parallel", info.parallel);
  return object;
}

Napi::Error ToError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message());
  error.Set("nativeCode", Napi::Number::New(env, static_cast<double>(status.code())));
  return error;
}

}  // namespace sconce::node
