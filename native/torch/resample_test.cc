// PIL's own pixels are in image_test.cc; here colours against their channels one by one, which take another path.
#include "torch/resample.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sconce::torch_engine {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Case {
  int width, height;
  Window columns, rows;
  bool bicubic;
};

std::size_t Count(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

Bytes Resized(const Bytes& source, const Case& one, int channels) {
  ImageScratch scratch;
  ResizeFiltered(source.data(), one.width, one.height, channels, one.columns, one.rows, one.bicubic, scratch);
  return {scratch.crop.begin(),
          scratch.crop.begin() + static_cast<std::ptrdiff_t>(Count(one.columns.count, one.rows.count) *
                                                             static_cast<std::size_t>(channels))};
}

Bytes Channel(const Bytes& pixels, std::size_t channel) {
  Bytes one;
  for (std::size_t i = channel; i < pixels.size(); i += 3) one.push_back(pixels[i]);
  return one;
}

TEST(Resample, ColoursAreTheirChannels) {
  std::mt19937 random(20'261'129);
  const auto upTo = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)) + 1; };
  for (int round = 0; round < 200; ++round) {
    Case one;
    one.width = upTo(90);
    one.height = upTo(90);
    one.bicubic = round % 2 == 1;
    for (Window* window : {&one.columns, &one.rows}) {
      window->size = upTo(120);
      window->count = upTo(window->size);
      window->from = upTo(window->size - window->count + 1) - 1;
    }
    Bytes pixels(Count(one.width, one.height) * 3);
    // Extremes too: cubic weights overshoot, and sums are cut off at both ends.
    for (std::uint8_t& byte : pixels) byte = round % 3 == 0 ? (random() % 2 == 0 ? 0 : 255) : random() % 256;
    const Bytes colour = Resized(pixels, one, 3);
    for (const std::size_t channel : {0U, 1U, 2U}) {
      ASSERT_EQ(Channel(colour, channel), Resized(Channel(pixels, channel), one, 1))
          << one.width << " x " << one.height << " to " << one.columns.size << " x " << one.rows.size;
    }
  }
}

}  // namespace
}  // namespace sconce::torch_engine
