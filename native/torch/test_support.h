// For the tests of this folder: golden files, tasks made from them, loading a fixture.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <map>
#include <string>
#include <vector>

#include "torch/loader.h"
#include "torch/samples.h"

namespace sconce::torch_engine::testing {

struct GoldenTensor {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::vector<double> data;        // floats
  std::vector<std::int64_t> ints;  // the same numbers where they are whole: int64 exactly
};

struct GoldenCase {
  std::map<std::string, GoldenTensor> inputs;
  std::vector<std::pair<std::string, GoldenTensor>> outputs;  // path, in the model's order
};

struct Golden {
  Signature signature;
  std::vector<GoldenCase> cases;
};

std::string FixturePath(const std::string& name);  // test/fixtures/models/<name>
Golden ReadGolden(const std::string& name);        // test/fixtures/models/<name>.json; throws std::runtime_error

LoadSpec SpecFor(const std::string& name);  // <name>.pt with the golden's declared inputs
TaskPtr MakeTask(const Signature& signature, const std::vector<const GoldenCase*>& rows);

// A module with a buffer `n`, an optional tensor `maybe`, a list `all` and forward(x) of these lines, joined by
// newlines.
torch::jit::Module ModuleOf(const std::string& lines);

// A module in a file that lives as long as this does.
class SavedModule {
 public:
  explicit SavedModule(torch::jit::Module module);
  ~SavedModule();
  SavedModule(const SavedModule&) = delete;
  SavedModule& operator=(const SavedModule&) = delete;

  LoadSpec Spec(Shape shape) const;  // declares one input, x, of float32
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Loads or fails the test.
Loaded MustLoad(const LoadSpec& spec);

// Loading is refused with kInvalidModel and the artifact's path, or the test fails.
Status Refusal(const LoadSpec& spec);

// The largest |a-b| / (tolerance·max|b| + tolerance·|b|) of all outputs of row `row`: at most 1 when equal. Infinity
// when a shape or dtype differs.
double Deviation(const Task& task, std::size_t row, const GoldenCase& golden, double tolerance);

}  // namespace sconce::torch_engine::testing
