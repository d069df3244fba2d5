#include "torch/methods.h"

#include <gtest/gtest.h>

namespace sconce::torch_engine {
namespace {

const std::string kFixtures = SCONCE_FIXTURES;

TEST(MethodsTest, NamesArgumentsAndTypes) {
  auto methods = ReadMethods(kFixtures + "/archiver/folder/net.pt");
  ASSERT_TRUE(methods.ok()) << methods.status().message();
  ASSERT_EQ(methods->size(), 1U);
  const Method& forward = methods->front();
  EXPECT_EQ(forward.name, "forward");
  ASSERT_EQ(forward.arguments.size(), 1U);
  EXPECT_EQ(forward.arguments[0].name, "input");
  EXPECT_EQ(forward.arguments[0].type, "Tensor");
  EXPECT_FALSE(forward.arguments[0].has_default);
  EXPECT_EQ(forward.returns, "Tensor");
}

TEST(MethodsTest, AFileThatIsNoModelIsRefused) {
  auto methods = ReadMethods(kFixtures + "/archiver/pack.py");
  EXPECT_EQ(methods.status().code(), Code::kInvalidModel);
}

}  // namespace
}  // namespace sconce::torch_engine
