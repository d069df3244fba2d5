// A Task is one request on its way through native code: decoded inputs in, encoded answer out.
// Lifetime: made on the HTTP thread, owned by exactly one holder at a time (queue, executor, completion queue),
// destroyed on the thread that drains completions or drops them. It pins its model, so unload waits for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/explain.h"
#include "core/status.h"
#include "core/tensor.h"

namespace sconce {

class Model;
class CompletionQueue;

// How the answer's bytes are written.
enum class OutputFormat : std::uint8_t {
  kJson = 0,     // application/json
  kNpy = 1,      // application/x-npy, one output only
  kRaw = 2,      // application/octet-stream, one output only
  kTensors = 3,  // for handlers: the leaves' bytes back to back, described by Task::leaves
  kV2 = 4,       // the Open Inference Protocol's answer, in the way Task::v2 asks for
};

// One sample: a view per declared input (or per input sent, when nothing is declared).
struct Row {
  std::vector<TensorView> inputs;
};

// Decoded pixels that the runner resizes, crops and normalises straight into the batch (image handlers).
struct ImageInput {
  int width = 0;
  int height = 0;
  int channels = 3;  // interleaved uint8
};

// What a request of the Open Inference Protocol says beside its inputs.
struct V2Request {
  struct Output {
    std::string name;
    std::optional<bool> binary;  // unset: as the whole request says
  };
  std::string id;               // comes back in the answer; empty: none was given
  bool binary = false;          // outputs as bytes behind the JSON
  std::vector<Output> outputs;  // empty: all
};

struct LeafInfo {  // OutputFormat::kTensors: where leaf i of row r lies in `answer`
  DType dtype = DType::kFloat32;
  Shape shape;
  std::size_t offset = 0;
  std::size_t bytes = 0;
  std::string name;   // only where Task::v2 asks for names
  bool text = false;  // likewise: the bytes are UTF-8
};

struct Task {
  std::shared_ptr<Model> model;           // pin
  std::shared_ptr<CompletionQueue> sink;  // where a lane puts the finished task; inline tasks need it too, since what
                                          // does not fit their turn goes to a lane
  std::uint32_t cookie = 0;               // the caller's index for this request
  std::size_t body_bytes = 0;             // of the request as it came, for the counters

  // ── input ──
  Buffer storage;                  // what the views point into
  std::vector<Row> rows;           // ≥ 1; more than one only for {"instances": …} or batched .npy
  std::vector<std::string> names;  // undeclared model, inputs sent by name: their names
  bool named = false;              // the client named the version
  bool instances = false;          // answer as {"predictions": […]} (JSON) or with a leading dimension (.npy)
  bool is_image = false;
  ImageInput image;  // with is_image: pixels are `storage`
  OutputFormat format = OutputFormat::kJson;
  std::shared_ptr<const ExplainSpec> explain;  // set: not the model's answer is asked for, but why it is that
  std::unique_ptr<V2Request> v2;               // with OutputFormat::kV2

  // ── control ──
  std::int64_t enqueued_ns = 0;                  // MonotonicNs()
  std::int64_t deadline_ns = 0;                  // 0: none
  std::shared_ptr<std::atomic<bool>> cancelled;  // set by the client's abort; may be null

  // ── outcome ──
  Status status;
  Buffer answer;
  std::vector<LeafInfo> leaves;
  std::int64_t started_ns = 0;
  std::int64_t finished_ns = 0;
  std::uint32_t batch_rows = 0;  // rows in the batch that it ran in

  bool IsCancelled() const { return cancelled && cancelled->load(std::memory_order_relaxed); }
};

using TaskPtr = std::unique_ptr<Task>;

// Requests whose rows have equal dtypes and shapes may share a batch.
bool SameShape(const Row& a, const Row& b);
bool UniformRows(const Task& task);  // all rows of one task have the same shape
bool CanShareBatch(const Task& a, const Task& b);

// Rows the task brings to a batch; an image is one.
std::uint32_t RowCount(const Task& task);
// Equal for all tasks that can share a batch; may be equal for two that cannot (it is a hash of the first row).
std::uint64_t ShapeKey(const Task& task);

}  // namespace sconce
