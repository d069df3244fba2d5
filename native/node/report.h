// Finished tasks to JavaScript, many per crossing: numbers in a Uint32Array that JavaScript owns and reuses, small
// answers as one packed one-byte string (JSON answers are ASCII), the rest as ArrayBuffers.
//
//   meta[0] tasks in this pack · meta[1] 1 when more wait · then kWords numbers per task:
//   cookie, code, model tag, kind, a, b
//     kText:    the text is packed.substring(a, a + b)
//     kValue:   the body is values[a] (an ArrayBuffer, or a string that is not ASCII)
//     kTensors: the body is values[a]; values[a + 1] is a Float64Array with, per leaf,
//               dtype, offset, bytes, dimensions, sizes…
//   Pack answers undefined (no text, no values), the packed string, or the array [packed, ...values].
//
// Thread: the environment's own. Raw Node-API calls: this runs for every request.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <string>
#include <vector>

#include "core/task.h"
#include "node/channel.h"

namespace sconce::node {

class Reporter {
 public:
  static constexpr std::size_t kHeaderWords = 2;
  static constexpr std::size_t kWords = 6;
  static constexpr std::size_t kTextBytes = 16U << 10;   // answers above it get an ArrayBuffer of their own
  static constexpr std::size_t kPackBytes = 512U << 10;  // text of one pack
  enum Kind : std::uint32_t { kText = 0, kValue = 1, kTensors = 2 };

  // `meta` outlives the reporter (the binding holds a reference to its typed array).
  Reporter(Channel& channel, std::uint32_t* meta, std::size_t words) : channel_(channel), meta_(meta), words_(words) {}

  // Tasks to report by the next calls of Pack.
  void Add(std::vector<TaskPtr> tasks);
  bool empty() const { return next_ == tasks_.size(); }
  napi_value Pack(napi_env env);
  void Drop();

 private:
  void PackOne(napi_env env, Task& task, std::uint32_t* record);
  void AddValue(napi_env env, napi_value value);

  Channel& channel_;
  std::uint32_t* const meta_;
  const std::size_t words_;
  std::vector<TaskPtr> tasks_;
  std::size_t next_ = 0;
  std::string text_;
  std::vector<napi_value> values_;
};

// Takes the bytes over without a copy where the runtime allows it.
napi_value ToArrayBuffer(napi_env env, Buffer bytes);

}  // namespace sconce::node
