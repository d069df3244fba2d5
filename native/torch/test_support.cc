#include "torch/test_support.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <utility>

#include "torch/numbers.h"
#include "torch/test_json.h"

namespace sconce::torch_engine::testing {
namespace {

Shape ReadShape(const Json& json) {
  Shape shape;
  for (const Json& dim : json.items) shape.push_back(std::stoll(dim.text));
  return shape;
}

GoldenTensor ReadTensor(const Json& json, DType dtype) {
  GoldenTensor tensor;
  tensor.dtype = dtype;
  tensor.shape = ReadShape(json.at("shape"));
  for (const Json& number : json.at("data").items) {
    const std::string text = number.text == "true" ? "1" : number.text == "false" ? "0" : number.text;
    tensor.data.push_back(std::strtod(text.c_str(), nullptr));
    tensor.ints.push_back(std::strtoll(text.c_str(), nullptr, 10));
  }
  return tensor;
}

void Store(const GoldenTensor& tensor, std::byte* to) {
  for (std::size_t i = 0; i < tensor.data.size(); ++i) {
    std::byte* at = to + i * ByteSize(tensor.dtype);
    if (tensor.dtype == DType::kInt64) {
      std::memcpy(at, &tensor.ints[i], sizeof tensor.ints[i]);
    } else {
      StoreNumber(tensor.dtype, tensor.data[i], at);
    }
  }
}

}  // namespace

std::string FixturePath(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/models/" + name; }

Golden ReadGolden(const std::string& name) {
  std::ifstream file(FixturePath(name + ".json"));
  if (!file) throw std::runtime_error("no golden " + name);
  const Json json = JsonReader({std::istreambuf_iterator<char>(file), {}}).Value();
  Golden golden;
  golden.signature.declared = true;
  for (const Json& input : json.at("inputs").items) {
    golden.signature.inputs.push_back({input.at("name").text, *ParseDType(input.at("dtype").text),
                                       ReadShape(input.at("shape")), input.has("optional")});
  }
  for (const Json& one : json.at("cases").items) {
    GoldenCase parsed;
    for (const InputSpec& input : golden.signature.inputs) {
      if (one.at("inputs").has(input.name)) {
        parsed.inputs[input.name] = ReadTensor(one.at("inputs").at(input.name), input.dtype);
      }
    }
    for (const auto& [path, tensor] : one.at("outputs").fields) {
      parsed.outputs.emplace_back(path, ReadTensor(tensor, *ParseDType(tensor.at("dtype").text)));
    }
    golden.cases.push_back(std::move(parsed));
  }
  return golden;
}

LoadSpec SpecFor(const std::string& name) {
  LoadSpec spec;
  spec.path = FixturePath(name + ".pt");
  spec.name = name;
  spec.version = "1";
  spec.signature = ReadGolden(name).signature;
  return spec;
}

TaskPtr MakeTask(const Signature& signature, const std::vector<const GoldenCase*>& rows) {
  auto task = std::make_unique<Task>();
  task->format = OutputFormat::kTensors;
  task->instances = rows.size() > 1;
  std::size_t bytes = 0;
  for (const GoldenCase* row : rows) {
    for (const auto& [name, tensor] : row->inputs) bytes += tensor.data.size() * 8 + Buffer::kAlign;
  }
  task->storage.Resize(bytes + 1);
  std::size_t offset = 0;
  for (const GoldenCase* row : rows) {
    Row made;
    for (const InputSpec& input : signature.inputs) {
      TensorView view;
      view.dtype = input.dtype;
      const auto given = row->inputs.find(input.name);
      view.present = given != row->inputs.end();
      if (view.present) {
        view.shape = given->second.shape;
        view.bytes = given->second.data.size() * ByteSize(input.dtype);
        view.data = task->storage.data() + offset;
        Store(given->second, task->storage.data() + offset);
        offset += (view.bytes + Buffer::kAlign - 1) / Buffer::kAlign * Buffer::kAlign;
      }
      made.inputs.push_back(view);
    }
    task->rows.push_back(std::move(made));
  }
  return task;
}

Loaded MustLoad(const LoadSpec& spec) {
  Result<Loaded> loaded = Load(spec);
  EXPECT_TRUE(loaded.ok()) << loaded.status().message();
  if (!loaded.ok()) throw std::runtime_error(loaded.status().message());
  return std::move(*loaded);
}

double Deviation(const Task& task, std::size_t row, const GoldenCase& golden, double tolerance) {
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    const GoldenTensor& expected = golden.outputs[i].second;
    const std::size_t index = row * golden.outputs.size() + i;
    if (index >= task.leaves.size()) return kWrong;
    const LeafInfo& leaf = task.leaves[index];
    if (leaf.dtype != expected.dtype || !(leaf.shape == expected.shape)) return kWrong;
    double largest = 0;
    for (const double value : expected.data) largest = std::max(largest, std::abs(value));
    for (std::size_t k = 0; k < expected.data.size(); ++k) {
      const std::byte* at = task.answer.data() + leaf.offset + k * ByteSize(leaf.dtype);
      if (leaf.dtype == DType::kInt64 && std::memcmp(at, &expected.ints[k], 8) != 0) return kWrong;
      const double difference = std::abs(LoadNumber(leaf.dtype, at) - expected.data[k]);
      const double allowed = tolerance * largest + tolerance * std::abs(expected.data[k]);
      if (difference > 0) worst = std::max(worst, allowed > 0 ? difference / allowed : kWrong);
    }
  }
  return worst;
}

torch::jit::Module ModuleOf(const std::string& lines) {
  torch::jit::Module module("m");
  module.register_buffer("n", at::zeros({1}));
  module.register_attribute("maybe", c10::OptionalType::create(c10::TensorType::get()), at::ones({1}));
  module.register_attribute("all", c10::ListType::ofTensors(), c10::List<at::Tensor>());
  std::string code = "def forward(self, x):\n  ";
  for (const char c : lines) code += c == '\n' ? std::string("\n  ") : std::string(1, c);
  module.define(code + "\n");
  module.eval();
  return module;
}

SavedModule::SavedModule(torch::jit::Module module) {
  static std::atomic<int> count{0};
  path_ = ::testing::TempDir() + "sconce_module_" + std::to_string(::getpid()) + "_" + std::to_string(++count) + ".pt";
  module.eval();
  module.save(path_);
}

SavedModule::~SavedModule() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

LoadSpec SavedModule::Spec(Shape shape) const {
  LoadSpec spec;
  spec.path = path_;
  spec.signature.declared = true;
  spec.signature.inputs = {{"x", DType::kFloat32, std::move(shape), false}};
  return spec;
}

Status Refusal(const LoadSpec& spec) {
  const Result<Loaded> loaded = Load(spec);
  EXPECT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), Code::kInvalidModel) << loaded.status().message();
  EXPECT_NE(loaded.status().message().find(spec.path), std::string::npos) << loaded.status().message();
  return loaded.status();
}

}  // namespace sconce::torch_engine::testing
