// What check.cc and bench.cc share: the files that models.py wrote, and the device behind libsconce_cuda.so.
// Thread: everything on one thread unless said otherwise.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "torch/device_library.h"

namespace sconce::gpu {

struct Workload {
  const char* name;
  at::ScalarType input;
  std::vector<std::int64_t> sample;  // shape of one sample
  // How far fp32, bf16 and fp16 may be from Python's fp32 on the CPU, as a share of the largest answer.
  std::array<double, 3> tolerances;
};

inline constexpr std::int64_t kSamples = 4;  // that models.py wrote

struct Precision {
  const char* name;
  at::ScalarType type;
};
inline constexpr std::array<Precision, 3> kPrecisions = {
    {{"fp32", at::kFloat}, {"bf16", at::kBFloat16}, {"fp16", at::kHalf}}};

const std::array<Workload, 2>& Workloads();

// Tensors [kSamples, …] on the CPU.
at::Tensor ReadInput(const std::string& folder, const Workload& workload);
at::Tensor ReadExpected(const std::string& folder, const Workload& workload);

// Frozen, on `where`, its floating-point weights in `precision`.
torch::jit::Module LoadModule(const std::string& folder, const Workload& workload, c10::Device where,
                              at::ScalarType precision);

// `samples` repeated to `batch` of them, floating-point ones in `precision`.
at::Tensor Batch(const at::Tensor& samples, std::int64_t batch, at::ScalarType precision);

// The largest |a-b| as a share of the largest |b|.
double Deviation(const at::Tensor& answers, const at::Tensor& expected);

// Throws what the Status says.
inline void Must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}
template <typename T>
T Must(Result<T> result) {
  Must(result.status());
  return std::move(*result);
}

}  // namespace sconce::gpu
