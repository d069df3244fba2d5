// Preprocessing against PIL and numpy (goldens of test/models/image_goldens.py): equal to the last bit.
#include "torch/image.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "torch/test_json.h"

namespace sconce::torch_engine {
namespace {

using testing::Json;
using testing::JsonReader;

int Int(const Json& json) { return std::atoi(json.text.c_str()); }

std::vector<float> Floats(const Json& json) {
  std::vector<float> numbers;
  for (const Json& item : json.items) numbers.push_back(std::strtof(item.text.c_str(), nullptr));
  return numbers;
}

std::vector<std::byte> Hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::strtol(text.substr(i, 2).c_str(), nullptr, 16)));
  }
  return bytes;
}

ImageTransform ReadTransform(const Json& one) {
  ImageTransform transform;
  transform.resize = Int(one.at("resize"));
  transform.crop = Int(one.at("crop"));
  transform.channels = Int(one.at("channels"));
  transform.bgr = one.at("bgr").text == "true";
  transform.interpolation = one.at("interpolation").text;
  transform.mean = Floats(one.at("mean"));
  transform.std = Floats(one.at("std"));
  return transform;
}

TEST(Image, EqualsPil) {
  std::ifstream file(std::string(SCONCE_FIXTURES) + "/images/transforms.json");
  ASSERT_TRUE(file);
  const Json json = JsonReader({std::istreambuf_iterator<char>(file), {}}).Value();
  ImageScratch scratch;  // shared, so that leftovers of one case would show in the next
  ASSERT_GE(json.at("cases").items.size(), 18u);
  for (std::size_t i = 0; i < json.at("cases").items.size(); ++i) {
    const Json& one = json.at("cases").items[i];
    const Json& picture = json.at("pictures").at(one.at("picture").text);
    const ImageTransform transform = ReadTransform(one);
    ASSERT_TRUE(CheckTransform(transform).ok());
    const std::vector<std::byte> pixels = Hex(picture.at("pixels").text);
    const int width = Int(picture.at("width"));
    const int height = Int(picture.at("height"));
    const int channels = Int(picture.at("channels"));
    ASSERT_TRUE(CheckPixels(width, height, channels, pixels.size()).ok());
    const std::vector<float> expected = Floats(one.at("data"));
    std::vector<float> got(expected.size(), -99.0F);
    TransformImage(PreparedTransform(transform), pixels, width, height, channels, scratch, got.data());
    EXPECT_EQ(got, expected) << "case " << i << " " << one.at("picture").text;
  }
}

TEST(Image, KeepsItsSizeWithoutACrop) {
  ImageTransform transform;
  transform.resize = 0;
  transform.crop = 0;
  transform.bgr = true;
  ASSERT_TRUE(CheckTransform(transform).ok());
  const std::vector<std::uint8_t> bytes{0, 51, 102, 153, 204, 255};  // one row of two pixels
  std::vector<float> got(6);
  ImageScratch scratch;
  TransformImage(PreparedTransform(transform), std::as_bytes(std::span(bytes)), 2, 1, 3, scratch, got.data());
  EXPECT_EQ(got, (std::vector<float>{102 / 255.0F, 1, 51 / 255.0F, 204 / 255.0F, 0, 153 / 255.0F}));
  EXPECT_EQ(OutputSize(transform, 2, 1).width, 2);
  transform.resize = 8;
  EXPECT_FALSE(CheckTransform(transform).ok());
}

TEST(Image, RefusesPixelsThatDoNotFill) {
  EXPECT_TRUE(CheckPixels(2, 2, 3, 12).ok());
  EXPECT_EQ(CheckPixels(2, 2, 3, 11).code(), Code::kBadRequest);
  EXPECT_EQ(CheckPixels(0, 2, 3, 0).code(), Code::kBadRequest);
  EXPECT_EQ(CheckPixels(2, 2, 5, 20).code(), Code::kBadRequest);
  EXPECT_EQ(CheckPixels(70'000, 1, 1, 70'000).code(), Code::kBadRequest);
}

TEST(Image, RefusesTransformsThatMakeNoSense) {
  ImageTransform transform;
  EXPECT_TRUE(CheckTransform(transform).ok());
  transform.mean = {0.5F};
  EXPECT_NE(CheckTransform(transform).message().find("mean"), std::string::npos);
  transform = {};
  transform.std = {1, 0, 1};
  EXPECT_NE(CheckTransform(transform).message().find("std"), std::string::npos);
  transform = {};
  transform.interpolation = "lanczos";
  EXPECT_NE(CheckTransform(transform).message().find("lanczos"), std::string::npos);
}

}  // namespace
}  // namespace sconce::torch_engine
