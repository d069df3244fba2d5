// Every committed corpus file through its target: inputs that once mattered keep passing, with or without clang.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/targets.h"

namespace sconce::fuzz {
namespace {

void Replay(const char* corpus, void (*target)(const std::uint8_t*, std::size_t)) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(SCONCE_CORPUS) / corpus)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    SCOPED_TRACE(entry.path());
    target(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    // Cut short anywhere: the end of a body may come after any byte.
    for (std::size_t size = 0; size < bytes.size() && size < 512; ++size) {
      target(reinterpret_cast<const std::uint8_t*>(bytes.data()), size);
    }
    ++files;
  }
  EXPECT_GT(files, 10) << corpus;
}

TEST(Replay, Json) { Replay("json", Json); }
TEST(Replay, Npy) { Replay("npy", Npy); }
TEST(Replay, Raw) { Replay("raw", Raw); }
TEST(Replay, Tensors) { Replay("tensors", Tensors); }
TEST(Replay, V2) { Replay("v2", V2); }

}  // namespace
}  // namespace sconce::fuzz
