#include "core/buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <utility>

namespace sconce {
namespace {

std::string Text(const Buffer& buffer) { return {reinterpret_cast<const char*>(buffer.data()), buffer.size()}; }

TEST(Buffer, IsAlignedAndReserveIsExact) {
  for (std::size_t size : {1u, 3u, 64u, 1000u}) {
    Buffer buffer(size);
    EXPECT_EQ(buffer.capacity(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % Buffer::kAlign, 0u);
  }
}

TEST(Buffer, AppendGrowsGeometricallyAndKeepsTheBytes) {
  Buffer buffer;
  std::string expected;
  int growths = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string piece = std::to_string(i);
    const std::size_t before = buffer.capacity();
    buffer.Append(piece.data(), piece.size());
    growths += buffer.capacity() != before ? 1 : 0;
    expected += piece;
  }
  EXPECT_EQ(Text(buffer), expected);
  EXPECT_LT(growths, 20);
}

TEST(Buffer, AppendsAPieceOfItself) {
  Buffer buffer(4);
  buffer.Append("abcd", 4);
  buffer.Append(buffer.data(), 4);
  EXPECT_EQ(Text(buffer), "abcdabcd");
}

TEST(Buffer, MoveHandsTheBytesOver) {
  Buffer first;
  first.Append("abc", 3);
  Buffer second = std::move(first);
  EXPECT_EQ(Text(second), "abc");
  Buffer third;
  third.Append("xyz", 3);
  third = std::move(second);
  EXPECT_EQ(Text(third), "abc");
  third.Clear();
  EXPECT_EQ(third.size(), 0u);
  third.Resize(10);
  EXPECT_EQ(third.size(), 10u);
}

TEST(Buffer, TooMuchIsBadAlloc) {
  Buffer buffer;
  buffer.Append("a", 1);
  EXPECT_THROW(buffer.Append("b", std::numeric_limits<std::size_t>::max()), std::bad_alloc);
  EXPECT_EQ(Text(buffer), "a");
}

}  // namespace
}  // namespace sconce
