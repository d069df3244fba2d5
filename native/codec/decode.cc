#include <cstring>
#include <new>
#include <string>

#include "codec/check.h"
#include "codec/codec.h"
#include "codec/json_decode.h"
#include "codec/layout.h"
#include "codec/npy.h"
#include "codec/tensor_frame.h"
#include "codec/v2_decode.h"

namespace sconce::codec {
namespace {

// .npy and raw octets name no input: they suit models with exactly one.
Status NeedsSingleInput(const Signature& signature) {
  if (signature.inputs.size() == 1) return Status::Ok();
  return {Code::kBadRequest,
          "the model has " + std::to_string(signature.inputs.size()) + " inputs; send them by name as a JSON object"};
}

Status CheckRaw(std::size_t bytes, const Signature& signature) {
  if (!signature.declared) {
    return {Code::kBadRequest,
            "raw octets need declared inputs; add to model-config.yaml: "
            "sconce: {inputs: [{name: x, dtype: float32, shape: [16]}]}"};
  }
  if (Status s = NeedsSingleInput(signature); !s.ok()) return s;
  const InputSpec& input = signature.inputs[0];
  if (!input.shape.IsStatic()) {
    return {Code::kBadRequest, "raw octets cannot say the length of a -1 dimension; input \"" + input.name + "\" is " +
                                   Describe(input) + ": send .npy or JSON"};
  }
  const auto expected = TensorBytes(input.shape, input.dtype);
  if (expected && *expected == bytes) return Status::Ok();
  return {Code::kBadRequest, "input \"" + input.name + "\" is " + Describe(input) + ": expected " +
                                 (expected ? std::to_string(*expected) : "a representable number of") + " bytes, got " +
                                 std::to_string(bytes)};
}

void AddRaw(const Signature& signature, Layout& layout, std::size_t bytes) {
  const InputSpec& input = signature.inputs[0];
  Layout::Place(layout.AddRow(1)[0], input.dtype, input.shape, 0, bytes);
}

Status DecodeRaw(std::span<const std::byte> body, const Signature& signature, Layout& layout) {
  if (Status s = CheckRaw(body.size(), signature); !s.ok()) return s;
  if (Status s = CheckBools(signature.inputs[0].dtype, body); !s.ok()) return s;
  if (Status s = layout.Grow(body.size()); !s.ok()) return s;
  if (!body.empty()) std::memcpy(layout.at(0), body.data(), body.size());
  AddRaw(signature, layout, body.size());
  return Status::Ok();
}

Shape WithoutFirst(const Shape& shape) { return Shape(shape.dims().subspan(1)); }

// Whether the array is one sample or several of the declared input.
Status SampleShape(const NpyArray& array, const Signature& signature, Shape* sample, bool* several) {
  *several = false;
  *sample = array.shape;
  if (!signature.declared) {
    if (!array.data.empty()) return Status::Ok();
    return {Code::kBadRequest,
            "an empty array, shape " + array.shape.ToString() + "; only a declared -1 dimension may be empty"};
  }
  if (Status s = NeedsSingleInput(signature); !s.ok()) return s;
  const InputSpec& input = signature.inputs[0];
  const std::string got = Describe(array.dtype, array.shape);
  const Status mismatch{Code::kBadRequest, "input \"" + input.name + "\": expected " + Describe(input) +
                                               " (or one dimension more for several samples), got " + got};
  if (array.dtype != input.dtype) return mismatch;
  if (array.shape.Matches(input.shape)) return Status::Ok();
  if (array.shape.size() != input.shape.size() + 1) return mismatch;
  *sample = WithoutFirst(array.shape);
  *several = true;
  return sample->Matches(input.shape) ? Status::Ok() : mismatch;
}

Status DecodeNpy(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task) {
  NpyArray array;
  if (Status s = ParseNpy(body, &array); !s.ok()) return s;
  Shape sample;
  bool several = false;
  if (Status s = SampleShape(array, signature, &sample, &several); !s.ok()) return s;
  const std::size_t count = several ? static_cast<std::size_t>(array.shape[0]) : 1;
  if (count == 0) return {Code::kBadRequest, "an array of no samples; expected at least one"};
  if (count > layout.limits().max_instances) {
    return {Code::kBadRequest, std::to_string(count) + " samples, more than " +
                                   std::to_string(layout.limits().max_instances) + kInstancesOption};
  }
  if (Status s = CheckBools(array.dtype, array.data); !s.ok()) return s;
  if (Status s = layout.Grow(array.data.size()); !s.ok()) return s;
  if (!array.data.empty()) std::memcpy(layout.at(0), array.data.data(), array.data.size());
  task.instances = several;
  const std::size_t bytes = array.data.size() / count;
  task.rows.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Layout::Place(layout.AddRow(1)[0], array.dtype, sample, i * bytes, bytes);
  }
  return Status::Ok();
}

Status DecodeInto(InputFormat format, std::span<const std::byte> body, const Signature& signature, Layout& layout,
                  Task& task) {
  switch (format) {
    case InputFormat::kJson:
      return DecodeJson(body, signature, layout, task);
    case InputFormat::kRaw:
      return DecodeRaw(body, signature, layout);
    case InputFormat::kNpy:
      return DecodeNpy(body, signature, layout, task);
    case InputFormat::kTensors:
      return DecodeTensors(body, signature, layout, task);
    case InputFormat::kV2:
      return ReadV2(body, body.size(), signature, layout, task);
  }
  return {Code::kInternal, "unknown input format"};
}

Status Failed(Status status, Task& task) {
  task.rows.clear();
  task.names.clear();
  return status;
}

}  // namespace

namespace {

// Empties the task, fills it with `read(layout)` and makes its views pointers.
template <typename F>
Status Fill(const Limits& limits, Task& task, F read) {
  task.storage.Clear();
  task.rows.clear();
  task.names.clear();
  task.instances = false;
  Layout layout(task, limits);
  try {
    if (Status s = read(layout); !s.ok()) return Failed(std::move(s), task);
    layout.Finish();
  } catch (const std::bad_alloc&) {
    return Failed({Code::kOutOfMemory, "memory ran out while the request was decoded"}, task);
  }
  return Status::Ok();
}

}  // namespace

Status Decode(InputFormat format, std::span<const std::byte> body, const Signature& signature, const Limits& limits,
              Task& task) {
  return Fill(limits, task, [&](Layout& layout) { return DecodeInto(format, body, signature, layout, task); });
}

Status DecodeV2(std::span<const std::byte> body, std::size_t json_bytes, const Signature& signature,
                const Limits& limits, Task& task) {
  return Fill(limits, task, [&](Layout& layout) { return ReadV2(body, json_bytes, signature, layout, task); });
}

Status AdoptRaw(const Signature& signature, const Limits& limits, Task& task) {
  task.rows.clear();
  task.names.clear();
  task.instances = false;
  const std::size_t bytes = task.storage.size();
  Layout layout(task, limits);
  if (bytes > limits.max_decoded_bytes) return layout.TooLarge();
  if (Status s = CheckRaw(bytes, signature); !s.ok()) return s;
  if (Status s = CheckBools(signature.inputs[0].dtype, task.storage.bytes()); !s.ok()) return s;
  AddRaw(signature, layout, bytes);
  layout.Finish();
  return Status::Ok();
}

}  // namespace sconce::codec
