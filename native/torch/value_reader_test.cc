#include "torch/value_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "torch/flat_graph.h"
#include "torch/test_support.h"

namespace sconce::torch_engine {
namespace {

bool Decides(const std::string& lines) { return ReadsValues(*FlatForward(testing::ModuleOf(lines)).graph); }

TEST(ValueReader, NumbersThatDecideAreFollowed) {
  for (const char* lines :
       {"if bool((x > 100).any()):\n  return -x\nreturn x",
        "n = int(x.max())\nfor i in range(n):\n  x = x + 1\nreturn x",
        "while bool(x.sum() > 1):\n  x = x / 2\nreturn x", "return x / x.max().item()", "return x[:, :int(x[0, 0])]",
        "k = torch.nonzero(x > 100)\nif k.size(0) > 0:\n  return -x\nreturn x",
        "y = x[x > 100]\nif y.numel() > 0:\n  return -x\nreturn x",
        "k = 0\nfor i in range(3):\n  if k > 1:\n    x = x * 2\n  k = int(x.max())\nreturn x"}) {
    EXPECT_TRUE(Decides(lines)) << lines;
  }
  for (const char* lines :
       {"return x * 2", "if x.size(0) > 4:\n  return -x\nreturn x", "return x / x.size(1) + x.dim()",
        "for i in range(x.size(1)):\n  x = x + i\nreturn x", "assert bool((x >= 0).all()), 'negative'\nreturn x.sqrt()",
        "return x * float(self.n[0])", "return torch.where(x > 0, x, -x)", "return x.view(x.size(0), -1)[:, :2]",
        "return torch.cat([x, x * 2])"}) {
    EXPECT_FALSE(Decides(lines)) << lines;
  }
}

TEST(ValueReader, ASummaryOfAllSamplesThatMeetsThemDecides) {
  for (const char* lines :
       {"return torch.where((x == 99).any(), 2 * x, x)", "return x.masked_fill((x > 1e6).any(), 0)",
        "return torch.where(torch.isnan(x).any(), torch.zeros_like(x), x)", "return x / x.max().clamp(min=10)",
        "return x * x.sum(dim=[])", "return x * torch.sum(x, dtype=7)", "return x.masked_fill_((x > 1e6).any(), 0)",
        "n = torch.isnan(x).all()\nreturn torch.cat([x, n.expand(1, 2)])",
        "y = torch.zeros_like(x)\ny[:, 0] = x[:, 1]\nreturn y * y.amax()",
        "all = []\nall.append(x)\ny = torch.cat(all)\nreturn x * y.max()",
        "a, b = torch.std_mean(x)\nreturn (x - b) / a"}) {
    EXPECT_TRUE(Decides(lines)) << lines;
  }
  for (const char* lines :
       {"return x / x.amax(1, True)", "return x - x.mean(dim=-1, keepdim=True)", "return torch.max(x, x * 2)",
        "return x.sum(1) + x.any(1)", "y = x.max()\nreturn x", "return x * self.n.max()",
        "return x * torch.ones_like(x).sum()", "return [x, x.max()]", "return x.max() + x.min()"}) {
    EXPECT_FALSE(Decides(lines)) << lines;
  }
}

}  // namespace
}  // namespace sconce::torch_engine
