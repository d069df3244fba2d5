#include "workload.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/jit/serialization/import.h>

#include <fstream>
#include <iterator>
#include <utility>

namespace sconce::gpu {
namespace {

// All of the file as rows of `sample`.
at::Tensor Read(const std::string& path, std::vector<std::int64_t> sample, at::ScalarType type) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("no " + path + ": python bench/gpu/models.py writes it");
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  sample.insert(sample.begin(), kSamples);
  const at::Tensor rows = at::empty(sample, type);
  if (bytes.size() != rows.nbytes()) throw std::runtime_error(path + " is not of the size that models.py writes");
  std::copy(bytes.begin(), bytes.end(), static_cast<char*>(rows.data_ptr()));
  return rows;
}

}  // namespace

// TF32 is off where fp32 is compared; a half has 10 bits of fraction, a bfloat16 7, and errors add up over 50 layers.
const std::array<Workload, 2>& Workloads() {
  static const std::array<Workload, 2> all = {
      {{"resnet50", at::kFloat, {3, 224, 224}, {1e-4, 5e-2, 1e-2}}, {"bert", at::kLong, {128}, {1e-4, 5e-2, 1e-2}}}};
  return all;
}

at::Tensor ReadInput(const std::string& folder, const Workload& workload) {
  return Read(folder + "/" + workload.name + ".input", workload.sample, workload.input);
}

at::Tensor ReadExpected(const std::string& folder, const Workload& workload) {
  return Read(folder + "/" + workload.name + ".expected", {workload.input == at::kLong ? 768 : 1000}, at::kFloat);
}

torch::jit::Module LoadModule(const std::string& folder, const Workload& workload, c10::Device where,
                              at::ScalarType precision) {
  torch::jit::Module module = torch::jit::load(folder + "/" + workload.name + ".pt", where);
  module.eval();
  module.to(precision);
  return torch::jit::freeze(module);
}

at::Tensor Batch(const at::Tensor& samples, std::int64_t batch, at::ScalarType precision) {
  const at::Tensor rows = samples.repeat_interleave((batch + kSamples - 1) / kSamples, 0).narrow(0, 0, batch);
  return (rows.is_floating_point() ? rows.to(precision) : rows).contiguous();
}

double Deviation(const at::Tensor& answers, const at::Tensor& expected) {
  const at::Tensor found = answers.to(at::kCPU, at::kFloat);
  if (found.sizes() != expected.sizes()) throw std::runtime_error("the answers have another shape than Python's");
  if (!found.isfinite().all().item<bool>()) throw std::runtime_error("an answer is not finite");
  return (found - expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

}  // namespace sconce::gpu
