// Bytes <-> tensors. Pure functions: no libtorch, no Node, no clock, no globals. Every parser here is fuzzed.
//
//   Task task;
//   Status s = codec::Decode(codec::InputFormat::kJson, body, model.signature(), limits, task);
//   …run…
//   s = codec::Encode(OutputFormat::kJson, layout, rows_of_leaf_views, instances, task.answer);
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/buffer.h"
#include "core/signature.h"
#include "core/status.h"
#include "core/task.h"

namespace sconce::codec {

// kTensors: what handlers made of a request, see tensor_frame.h.
enum class InputFormat : std::uint8_t { kJson = 0, kRaw = 1, kNpy = 2, kTensors = 3, kV2 = 4 };

// Every bound a body is held to; exceeding one is kBadRequest (or kPayloadTooLarge where said) naming it.
struct Limits {
  int max_json_depth = 100;
  int max_json_keys = 10'000;        // keys in one object
  std::size_t max_instances = 1024;  // rows in one request; the option is maxInstances
  std::size_t max_decoded_bytes = std::size_t{64}
                                  << 20;  // decoded tensors of one request; the option is --max-request-size
};

// Decodes `body` into task.storage, task.rows, task.names and task.instances. `body` may point into task.storage's own
// former content only for kRaw with AdoptRaw. On failure task.rows is empty and the message says what was expected,
// what was got and, for JSON, the byte offset.
Status Decode(InputFormat format, std::span<const std::byte> body, const Signature& signature, const Limits& limits,
              Task& task);

// A request of the Open Inference Protocol (v2): JSON of `json_bytes` bytes, and behind it the tensors that it says
// come as bytes, in the order of its inputs. Dimension 0 of an input with one dimension more than declared, or of any
// input of a model without declared inputs, is the batch. Fills task.v2 too. Decode with kV2 is the same with JSON
// alone.
Status DecodeV2(std::span<const std::byte> body, std::size_t json_bytes, const Signature& signature,
                const Limits& limits, Task& task);

// kRaw without a copy: task.storage already holds the body (64-byte aligned); only the row is made.
Status AdoptRaw(const Signature& signature, const Limits& limits, Task& task);

// Writes one answer. rows[r][leaf] is the view of that leaf for row r (shape without the batch dimension).
// kJson: a bare tensor is nested arrays, a dict an object, tuples and lists arrays; non-finite floats are the strings
// "NaN", "Infinity", "-Infinity"; shortest text that reads back to the same value. instances: {"<field>": […]}.
// kNpy, kRaw: exactly one leaf, else kNotAcceptable.
Status Encode(OutputFormat format, const OutputNode& layout, std::span<const std::vector<TensorView>> rows,
              bool instances, Buffer& out, std::string_view field = "predictions");

// OutputFormat::kV2: {"model_name": …, "outputs": [{"name", "shape", "datatype", "data"}]} with the outputs that
// `asked` names. When any of them is asked for as bytes, the answer begins with kV2PrefixBytes bytes, the first of them
// 0 and the last four the length of the JSON (little-endian); the JSON follows, and then the outputs' bytes.
inline constexpr std::size_t kV2PrefixBytes = 8;
struct V2Source {
  const std::string& model;
  const std::string& version;
  const std::vector<std::string>& outputs;  // names that the configuration gives them; may be empty
};
Status EncodeV2(const V2Source& source, const V2Request& asked, const OutputNode& layout,
                std::span<const std::vector<TensorView>> rows, bool batched, Buffer& out);

// The names that an answer of OutputFormat::kV2 gives them. `names`: those of the configuration; may be empty.
void NameLeaves(const OutputNode& layout, const std::vector<std::string>& names, std::vector<LeafInfo>& leaves);

// OutputFormat::kTensors: the leaves' bytes, row after row, each on a 64-byte boundary, and where they lie.
void EncodeTensors(std::span<const std::vector<TensorView>> rows, Buffer& out, std::vector<LeafInfo>& leaves);

}  // namespace sconce::codec
