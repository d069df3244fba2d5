#include "torch/storages.h"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sconce::torch_engine {
namespace {

const std::string kNoFile = "/no/such/file";  // looked at for opaque values only

// A tensor of 1,024 floats that claims all of them and has memory for `floats`.
at::Tensor Claiming(std::size_t floats) {
  c10::DataPtr memory = c10::GetDefaultCPUAllocator()->allocate(floats * sizeof(float));
  c10::Storage storage(c10::Storage::use_byte_size_t(), 1024 * sizeof(float), std::move(memory), nullptr, false);
  return at::empty({0}).set_(storage, 0, {1024}, {1});
}

TEST(Storages, HonestOnesPass) {
  torch::jit::Module module("m");
  module.register_parameter("weight", at::ones({16, 16}), false);
  module.register_buffer("view", at::ones({1024}).narrow(0, 100, 10));
  module.register_buffer("whole", Claiming(1024));
  module.register_buffer("none", at::empty({0}));
  module.define("def forward(self, x):\n  return x + self.weight\n");
  EXPECT_TRUE(CheckStorages(module, kNoFile).ok()) << CheckStorages(module, kNoFile).message();
}

TEST(Storages, OneThatIsTooShortIsFoundWhereverItLies) {
  torch::jit::Module buffer("m");
  buffer.register_buffer("short", Claiming(16));
  torch::jit::Module list("m");
  list.register_attribute("all", c10::ListType::ofTensors(), c10::List<at::Tensor>({at::ones({2}), Claiming(16)}));
  torch::jit::Module inner("outer");
  inner.register_module("buffer", buffer);
  for (const torch::jit::Module& module : {buffer, list, inner}) {
    const Status status = CheckStorages(module, kNoFile);
    EXPECT_EQ(status.code(), Code::kInvalidModel);
    EXPECT_NE(status.message().find("is said to have 4096 bytes"), std::string::npos) << status.message();
  }
}

TEST(Storages, AConstantOfACalledFunctionIsLookedAt) {
  torch::jit::Module module("m");
  module.define("def helper(self, x):\n  return x + 1\ndef forward(self, x):\n  return self.helper(x)\n");
  ASSERT_TRUE(CheckStorages(module, kNoFile).ok());
  const auto graph = module.get_method("helper").graph();
  graph->prependNode(graph->create(c10::prim::Constant)->t_(c10::attr::value, Claiming(16)));
  EXPECT_EQ(CheckStorages(module, kNoFile).code(), Code::kInvalidModel);
}

TEST(Storages, BytesAreOfWeightsAttributesAndConstantsEachOnce) {
  torch::jit::Module module("m");
  const at::Tensor weight = at::ones({16, 16});
  module.register_parameter("weight", weight, false);
  module.register_buffer("view", weight.narrow(0, 0, 4));
  module.register_attribute("table", c10::TensorType::get(), at::ones({100}));
  module.define("def forward(self, x):\n  return x + self.weight + self.table.sum()\n");
  const std::size_t bytes = (16 * 16 + 100) * sizeof(float);
  EXPECT_EQ(StorageBytes(module), bytes);
  module.eval();
  // Frozen, all of it is constants; the sum is one number more or the table itself.
  EXPECT_GE(StorageBytes(torch::jit::freeze(module)), 16 * 16 * sizeof(float));
}

// A frozen form is in the same compilation unit, from which freezing removes what was inlined.
TEST(Storages, BytesAreNotThoseOfFrozenForms) {
  torch::jit::Module inner("inner");
  inner.register_parameter("weight", at::ones({16, 16}), false);
  inner.define("def forward(self, x):\n  return x + self.weight\n");
  torch::jit::Module module("outer");
  module.register_module("inner", inner);
  module.define("def forward(self, x):\n  return self.inner.forward(x)\n");
  module.eval();
  const torch::jit::Module frozen = torch::jit::freeze(module);
  EXPECT_EQ(StorageBytes(module.deepcopy()), 16 * 16 * sizeof(float));
  EXPECT_EQ(StorageBytes(frozen), 16 * 16 * sizeof(float));
  EXPECT_TRUE(CheckStorages(module, kNoFile).ok());
}

}  // namespace
}  // namespace sconce::torch_engine
