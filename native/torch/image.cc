#include "torch/image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "torch/resample.h"

namespace sconce::torch_engine {
namespace {

constexpr int kMaxSide = 65'500;

// ITU-R 601-2 luma in 16-bit fixed point, as PIL's convert("L").
std::uint8_t Luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

// The source with 1 or 3 channels; the source itself when it has them already.
const std::uint8_t* Channels(const std::uint8_t* source, std::size_t pixels, int from, int to, ImageScratch& scratch) {
  if (from == to) return source;
  scratch.pixels.resize(pixels * static_cast<std::size_t>(to));
  std::uint8_t* out = scratch.pixels.data();
  for (std::size_t i = 0; i < pixels; ++i, source += from, out += to) {
    if (from >= 3) {
      if (to == 1) {
        *out = Luma(source);
      } else {
        std::memcpy(out, source, 3);
      }
    } else {
      std::memset(out, *source, static_cast<std::size_t>(to));
    }
  }
  return scratch.pixels.data();
}

struct Size {
  int width = 0;
  int height = 0;
};

// torchvision's rule: the short side becomes `resize`, the long one int(resize * long / short).
Size ResizedSize(const ImageTransform& transform, int width, int height) {
  if (transform.resize == 0) return {transform.crop, transform.crop};
  const int side = transform.resize;
  const auto scaled = [side](int longer, int shorter) {
    return static_cast<int>(static_cast<double>(std::int64_t{side} * longer) / shorter);
  };
  if (width <= height) return {side, scaled(height, width)};
  return {scaled(width, height), side};
}

// Which part of an axis the centre crop keeps, and how much padding comes before it when the picture is smaller.
struct AxisCrop {
  Window window;
  int pad = 0;
};

AxisCrop CenterCrop(int size, int crop) {
  AxisCrop axis;
  axis.window.size = size;
  if (size < crop) {
    axis.pad = (crop - size) / 2;
    axis.window.count = size;
    return axis;
  }
  axis.window.from = static_cast<int>(std::nearbyint((size - crop) / 2.0));  // half to even, as Python's round
  axis.window.count = crop;
  return axis;
}

AxisCrop WholeAxis(int size) {
  AxisCrop axis;
  axis.window.size = size;
  axis.window.count = size;
  return axis;
}

void Normalise(const PreparedTransform& prepared, ImageSize to_size, const AxisCrop& x, const AxisCrop& y,
               const std::uint8_t* source, float* out) {
  const ImageTransform& transform = prepared.transform();
  const std::size_t depth = static_cast<std::size_t>(transform.channels);
  const std::size_t columns = static_cast<std::size_t>(x.window.count);
  const std::size_t width = static_cast<std::size_t>(to_size.width);
  const std::size_t plane_size = width * static_cast<std::size_t>(to_size.height);
  const bool padded = x.window.count < to_size.width || y.window.count < to_size.height;
  for (std::size_t c = 0; c < depth; ++c) {
    const float* table = prepared.Table(static_cast<int>(c));
    float* plane = out + c * plane_size;
    if (padded) std::fill(plane, plane + plane_size, table[0]);
    const std::size_t source_channel = transform.bgr ? depth - 1 - c : c;
    for (std::size_t row = 0; row < static_cast<std::size_t>(y.window.count); ++row) {
      const std::uint8_t* from = source + row * columns * depth + source_channel;
      float* to = plane + (row + static_cast<std::size_t>(y.pad)) * width + static_cast<std::size_t>(x.pad);
      for (std::size_t i = 0; i < columns; ++i) to[i] = table[from[i * depth]];
    }
  }
}

}  // namespace

PreparedTransform::PreparedTransform(ImageTransform transform) : transform_(std::move(transform)) {
  const std::size_t channels = static_cast<std::size_t>(transform_.channels);
  tables_.resize(channels * 256);
  for (std::size_t c = 0; c < channels; ++c) {
    const float mean = transform_.mean.empty() ? 0.0F : transform_.mean[c];
    const float deviation = transform_.std.empty() ? 1.0F : transform_.std[c];
    for (std::size_t v = 0; v < 256; ++v) {
      tables_[c * 256 + v] = (static_cast<float>(v) / 255.0F - mean) / deviation;
    }
  }
}

ImageSize OutputSize(const ImageTransform& transform, int width, int height) {
  if (transform.crop == 0) return {height, width};
  return {transform.crop, transform.crop};
}

Status CheckTransform(const ImageTransform& transform) {
  const auto bad = [](const std::string& what) { return Status(Code::kInvalidModel, "image: " + what); };
  if (transform.crop < 0 || transform.crop > 4096) return bad("crop must be 0 to 4096");
  if (transform.crop == 0 && transform.resize != 0) return bad("crop 0 keeps the picture's size: resize must be 0 too");
  if (transform.resize < 0 || transform.resize > 4096) return bad("resize must be 0 to 4096");
  if (transform.channels != 1 && transform.channels != 3) return bad("channels must be 1 or 3");
  const std::size_t channels = static_cast<std::size_t>(transform.channels);
  if (!transform.mean.empty() && transform.mean.size() != channels) return bad("mean needs one number per channel");
  if (!transform.std.empty() && transform.std.size() != channels) return bad("std needs one number per channel");
  for (const float deviation : transform.std) {
    if (!(deviation > 0.0F)) return bad("std must be above 0");
  }
  const std::string& name = transform.interpolation;
  if (name != "bilinear" && name != "bicubic" && name != "nearest") {
    return bad("interpolation must be bilinear, bicubic or nearest, not '" + name + "'");
  }
  return Status::Ok();
}

Status CheckPixels(int width, int height, int channels, std::size_t source_bytes) {
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide) {
    return {Code::kBadRequest, "the image's sides must be 1 to " + std::to_string(kMaxSide) + " pixels, got " +
                                   std::to_string(width) + " x " + std::to_string(height)};
  }
  if (channels < 1 || channels > 4) return {Code::kBadRequest, "the image must have 1 to 4 channels"};
  if (static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(channels) !=
      source_bytes) {
    return {Code::kBadRequest, "the image's pixels do not fill its width and height"};
  }
  return Status::Ok();
}

void TransformImage(const PreparedTransform& prepared, std::span<const std::byte> pixels, int width, int height,
                    int channels, ImageScratch& scratch, float* out) {
  const ImageTransform& transform = prepared.transform();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(pixels.data());
  const std::size_t count = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  const std::uint8_t* source = Channels(bytes, count, channels, transform.channels, scratch);
  const ImageSize to_size = OutputSize(transform, width, height);
  if (transform.crop == 0) {
    Normalise(prepared, to_size, WholeAxis(width), WholeAxis(height), source, out);
    return;
  }
  const Size size = ResizedSize(transform, width, height);
  const AxisCrop x = CenterCrop(size.width, transform.crop);
  const AxisCrop y = CenterCrop(size.height, transform.crop);
  if (transform.interpolation == "nearest") {
    ResizeNearest(source, width, height, transform.channels, x.window, y.window, scratch);
  } else {
    const bool bicubic = transform.interpolation == "bicubic";
    ResizeFiltered(source, width, height, transform.channels, x.window, y.window, bicubic, scratch);
  }
  Normalise(prepared, to_size, x, y, scratch.crop.data(), out);
}

}  // namespace sconce::torch_engine
