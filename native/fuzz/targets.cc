#include "fuzz/targets.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "codec/codec.h"

namespace sconce::fuzz {
namespace {

using codec::InputFormat;

constexpr std::size_t kMaxDecodedBytes = std::size_t{1} << 20;

void Require(bool held, const char* promise) {
  if (held) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

Signature Declare(std::vector<InputSpec> inputs) { return {true, std::move(inputs), {}}; }

const Signature& Pick(std::uint8_t choice) {
  static const std::array<Signature, 12> kSignatures = {
      Signature{},
      Declare({{"x", DType::kFloat32, {4}, false}}),
      Declare({{"x", DType::kFloat32, {-1, 2}, false}}),
      Declare({{"x", DType::kInt64, {-1}, false}}),
      Declare({{"x", DType::kBool, {2, 2}, false}}),
      Declare(
          {{"ids", DType::kInt64, {-1}, false}, {"mask", DType::kBool, {-1}, false}, {"b", DType::kFloat64, {}, true}}),
      Declare({{"x", DType::kFloat16, {-1}, false}}),
      Declare({{"x", DType::kBFloat16, {3}, false}}),
      Declare({{"x", DType::kUint8, {-1, -1, 2}, false}}),
      Declare({{"x", DType::kFloat64, {}, false}}),
      Declare({{"x", DType::kInt8, {0}, false}}),
      Declare({{"x", DType::kInt16, {2}, true}, {"y", DType::kInt32, {2}, true}}),
  };
  return kSignatures[choice % kSignatures.size()];
}

void CheckView(const TensorView& view, const InputSpec* declared, const Buffer& storage) {
  if (!view.present) {
    Require(declared != nullptr && declared->optional, "only an optional input may be missing");
    return;
  }
  Require(TensorBytes(view.shape, view.dtype) == view.bytes, "bytes are those of the shape");
  const auto begin = reinterpret_cast<std::uintptr_t>(storage.data());
  const auto at = reinterpret_cast<std::uintptr_t>(view.data);
  Require(at >= begin && at + view.bytes <= begin + storage.size(), "views lie in the storage");
  Require(at % ByteSize(view.dtype) == 0, "views are aligned");
  if (declared == nullptr) return;
  Require(view.dtype == declared->dtype, "the dtype is the declared one");
  Require(view.shape.Matches(declared->shape), "the shape is as declared");
  if (view.dtype != DType::kBool) return;
  for (std::size_t i = 0; i < view.bytes; ++i) Require(static_cast<unsigned>(view.data[i]) <= 1, "bools are 0 or 1");
}

void CheckTask(const Task& task, const Signature& signature, const codec::Limits& limits) {
  Require(!task.rows.empty() && task.rows.size() <= limits.max_instances, "between one row and the limit");
  Require(task.instances || task.rows.size() == 1, "several rows only as instances");
  Require(task.storage.size() <= limits.max_decoded_bytes, "the storage is within its limit");
  for (const Row& row : task.rows) {
    if (signature.declared) Require(row.inputs.size() == signature.inputs.size(), "one view for each declared input");
    if (!task.names.empty()) Require(row.inputs.size() == task.names.size(), "one view for each name");
    for (std::size_t i = 0; i < row.inputs.size(); ++i) {
      CheckView(row.inputs[i], signature.declared ? &signature.inputs[i] : nullptr, task.storage);
    }
  }
}

void CheckFailure(const Status& status, const Task& task) {
  Require(task.rows.empty() && task.names.empty(), "a failure leaves no rows");
  Require(!status.message().empty(), "a failure says why");
  Require(status.code() == Code::kBadRequest || status.code() == Code::kPayloadTooLarge, "a failure is the client's");
}

// What was decoded, written as JSON and read again, writes the same text: it is JSON, and it loses nothing.
void CheckRoundTrip(const Task& task, const Signature& signature) {
  const TensorView& view = task.rows[0].inputs[0];
  if (!view.present) return;
  Buffer text;
  const std::vector<std::vector<TensorView>> rows = {{view}};
  Require(codec::Encode(OutputFormat::kJson, OutputNode{}, rows, false, text).ok(), "decoded tensors can be written");
  const DType dtype = signature.declared ? signature.inputs[0].dtype : view.dtype;
  const Signature again = Declare({{"x", dtype, view.shape, false}});
  Task back;
  Require(codec::Decode(InputFormat::kJson, text.bytes(), again, {}, back).ok(), "written text can be read");
  Buffer same;
  const std::vector<std::vector<TensorView>> read = {back.rows[0].inputs};
  Require(codec::Encode(OutputFormat::kJson, OutputNode{}, read, false, same).ok(), "read text can be written");
  Require(same.size() == text.size() && std::memcmp(same.data(), text.data(), text.size()) == 0, "round trip");
}

void Check(InputFormat format, const std::uint8_t* data, std::size_t size) {
  if (size == 0) return;
  const Signature& signature = Pick(data[0]);
  codec::Limits limits;
  limits.max_instances = 8;
  limits.max_decoded_bytes = kMaxDecodedBytes;
  // A copy of exactly this size, so that a read past its end is seen.
  const std::vector<std::byte> body(reinterpret_cast<const std::byte*>(data) + 1,
                                    reinterpret_cast<const std::byte*>(data) + size);
  Task task;
  const Status status = codec::Decode(format, body, signature, limits, task);
  if (!status.ok()) return CheckFailure(status, task);
  CheckTask(task, signature, limits);
  CheckRoundTrip(task, signature);
}

// How long the JSON is said to be: two bytes that may lie.
std::size_t JsonBytes(const std::uint8_t* data, std::size_t size) {
  return size < 3 ? size : static_cast<std::size_t>(data[1]) | static_cast<std::size_t>(data[2]) << 8U;
}

void CheckV2(const Task& task, const Signature& signature, const codec::Limits& limits) {
  CheckTask(task, signature, limits);
  Require(task.v2 != nullptr && task.v2->id.size() <= 256 + 4, "a v2 request with a bounded id");
  Buffer text;
  const std::vector<std::vector<TensorView>> rows = {{task.rows[0].inputs[0]}};
  if (!rows[0][0].present) return;
  const std::string name = "m";
  const std::vector<std::string> outputs;
  const Status status = codec::EncodeV2({name, name, outputs}, *task.v2, OutputNode{}, rows, task.instances, text);
  Require(status.ok() || status.code() == Code::kBadRequest, "only an unknown output cannot be written");
}

}  // namespace

void Json(const std::uint8_t* data, std::size_t size) { Check(InputFormat::kJson, data, size); }
void Npy(const std::uint8_t* data, std::size_t size) { Check(InputFormat::kNpy, data, size); }
void Tensors(const std::uint8_t* data, std::size_t size) { Check(InputFormat::kTensors, data, size); }

void V2(const std::uint8_t* data, std::size_t size) {
  Check(InputFormat::kV2, data, size);
  if (size < 3) return;
  const Signature& signature = Pick(data[0]);
  codec::Limits limits;
  limits.max_instances = 8;
  limits.max_decoded_bytes = kMaxDecodedBytes;
  const std::vector<std::byte> body(reinterpret_cast<const std::byte*>(data) + 3,
                                    reinterpret_cast<const std::byte*>(data) + size);
  Task task;
  const Status status = codec::DecodeV2(body, JsonBytes(data, size), signature, limits, task);
  if (!status.ok()) return CheckFailure(status, task);
  CheckV2(task, signature, limits);
}

void Raw(const std::uint8_t* data, std::size_t size) {
  Check(InputFormat::kRaw, data, size);
  if (size == 0) return;
  const Signature& signature = Pick(data[0]);
  Task task;
  task.storage.Append(data + 1, size - 1);
  const codec::Limits limits;
  if (codec::AdoptRaw(signature, limits, task).ok()) CheckTask(task, signature, limits);
}

}  // namespace sconce::fuzz
