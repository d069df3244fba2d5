#include "torch/image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace sconce::torch_engine {
namespace {

// 32-bit sums of 8-bit values with weights that may overshoot by less than 4: 22 bits are left for the fraction.
constexpr int kFractionBits = 32 - 8 - 2;
constexpr int kMaxSide = 65'500;

struct Window {  // the part [from, from + count) of an axis of `size`
  int size = 0;
  int from = 0;
  int count = 0;
};

double Triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Keys' cubic convolution with a = -0.5.
double Cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

struct Filter {
  double (*weight)(double) = Triangle;
  double support = 1.0;
};

// The weights of one axis, for the outputs of a window only.
struct Taps {
  struct Span {
    int from = 0;
    int count = 0;
  };
  std::vector<Span> spans;
  int stride = 0;  // weights per output
};

std::int32_t ToFixed(double weight) {
  const double scaled = weight * static_cast<double>(1 << kFractionBits);
  return static_cast<std::int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

// Antialiased: the filter is stretched by the scale when shrinking.
Taps MakeTaps(int in_size, const Window& out, const Filter& filter, ImageScratch& scratch) {
  const double scale = static_cast<double>(in_size) / out.size;
  const double stretch = std::max(scale, 1.0);
  const double support = filter.support * stretch;
  Taps taps;
  taps.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.spans.resize(static_cast<std::size_t>(out.count));
  scratch.weights.assign(taps.spans.size() * static_cast<std::size_t>(taps.stride), 0);
  scratch.raw_weights.resize(static_cast<std::size_t>(taps.stride));
  const double inverse = 1.0 / stretch;
  for (int i = 0; i < out.count; ++i) {
    const double center = (out.from + i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), in_size);
    double sum = 0;
    for (int x = first; x < last; ++x) {
      const double weight = filter.weight((x - center + 0.5) * inverse);
      scratch.raw_weights[static_cast<std::size_t>(x - first)] = weight;
      sum += weight;
    }
    taps.spans[static_cast<std::size_t>(i)] = {first, last - first};
    std::int32_t* fixed = scratch.weights.data() + static_cast<std::size_t>(i * taps.stride);
    for (int x = 0; x < last - first; ++x) {
      const double weight = scratch.raw_weights[static_cast<std::size_t>(x)];
      fixed[x] = ToFixed(sum != 0.0 ? weight / sum : weight);
    }
  }
  return taps;
}

std::uint8_t Clip(std::int32_t sum) {
  const std::int32_t value = sum >> kFractionBits;
  return static_cast<std::uint8_t>(std::clamp(value, 0, 255));
}

template <int C>
void HorizontalRow(const std::uint8_t* source, const Taps& taps, const std::int32_t* weights, std::uint8_t* out) {
  for (const Taps::Span& span : taps.spans) {
    std::int32_t sums[static_cast<std::size_t>(C)];
    for (int c = 0; c < C; ++c) sums[c] = 1 << (kFractionBits - 1);
    const std::uint8_t* pixel = source + static_cast<std::ptrdiff_t>(span.from) * C;
    for (int k = 0; k < span.count; ++k, pixel += C) {
      for (int c = 0; c < C; ++c) sums[c] += pixel[c] * weights[k];
    }
    for (int c = 0; c < C; ++c) *out++ = Clip(sums[c]);
    weights += taps.stride;
  }
}

// Source rows [rows.from, rows.from + rows.count) -> scratch.rows, columns of the window only.
void Horizontal(const std::uint8_t* source, int width, int channels, const Window& rows, const Window& columns,
                const Filter& filter, ImageScratch& scratch) {
  const std::size_t out_stride = static_cast<std::size_t>(columns.count) * static_cast<std::size_t>(channels);
  const std::size_t in_stride = static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  scratch.rows.resize(static_cast<std::size_t>(rows.count) * out_stride);
  if (columns.size == width) {
    for (int y = 0; y < rows.count; ++y) {
      const std::uint8_t* from = source + static_cast<std::size_t>(rows.from + y) * in_stride +
                                 static_cast<std::size_t>(columns.from) * static_cast<std::size_t>(channels);
      std::memcpy(scratch.rows.data() + static_cast<std::size_t>(y) * out_stride, from, out_stride);
    }
    return;
  }
  const Taps taps = MakeTaps(width, columns, filter, scratch);
  for (int y = 0; y < rows.count; ++y) {
    const std::uint8_t* from = source + static_cast<std::size_t>(rows.from + y) * in_stride;
    std::uint8_t* to = scratch.rows.data() + static_cast<std::size_t>(y) * out_stride;
    if (channels == 1) {
      HorizontalRow<1>(from, taps, scratch.weights.data(), to);
    } else {
      HorizontalRow<3>(from, taps, scratch.weights.data(), to);
    }
  }
}

void Vertical(const Taps& taps, int first_row, std::size_t stride, ImageScratch& scratch) {
  std::vector<std::int32_t> sums(stride);
  const std::int32_t* weights = scratch.weights.data();
  std::uint8_t* out = scratch.crop.data();
  for (const Taps::Span& span : taps.spans) {
    std::fill(sums.begin(), sums.end(), 1 << (kFractionBits - 1));
    for (int k = 0; k < span.count; ++k) {
      const std::uint8_t* row = scratch.rows.data() + static_cast<std::size_t>(span.from + k - first_row) * stride;
      const std::int32_t weight = weights[k];
      for (std::size_t x = 0; x < stride; ++x) sums[x] += row[x] * weight;
    }
    for (std::size_t x = 0; x < stride; ++x) out[x] = Clip(sums[x]);
    out += stride;
    weights += taps.stride;
  }
}

// The window of the resized picture -> scratch.crop. Rows that no output needs are never filtered.
void ResizeFiltered(const std::uint8_t* source, int width, int height, int channels, const Window& columns,
                    const Window& rows, const Filter& filter, ImageScratch& scratch) {
  const std::size_t stride = static_cast<std::size_t>(columns.count) * static_cast<std::size_t>(channels);
  scratch.crop.resize(static_cast<std::size_t>(rows.count) * stride);
  if (rows.size == height) {
    Horizontal(source, width, channels, rows, columns, filter, scratch);
    std::memcpy(scratch.crop.data(), scratch.rows.data(), scratch.crop.size());
    return;
  }
  const Taps probe = MakeTaps(height, rows, filter, scratch);
  const int first = probe.spans.front().from;
  const int last = probe.spans.back().from + probe.spans.back().count;
  Horizontal(source, width, channels, {height, first, last - first}, columns, filter, scratch);
  const Taps taps = MakeTaps(height, rows, filter, scratch);  // Horizontal used the same scratch
  Vertical(taps, first, stride, scratch);
}

// The centre of each output pixel picks its source; positions are accumulated, as PIL does it.
std::vector<int> NearestIndex(int in_size, const Window& out) {
  const double scale = static_cast<double>(in_size) / out.size;
  std::vector<int> index(static_cast<std::size_t>(out.count));
  double at = scale * 0.5;
  for (int i = 0; i < out.from + out.count; ++i, at += scale) {
    if (i >= out.from) index[static_cast<std::size_t>(i - out.from)] = std::min(static_cast<int>(at), in_size - 1);
  }
  return index;
}

void ResizeNearest(const std::uint8_t* source, int width, int height, int channels, const Window& columns,
                   const Window& rows, ImageScratch& scratch) {
  const std::size_t depth = static_cast<std::size_t>(channels);
  const std::vector<int> xs = NearestIndex(width, columns);
  scratch.crop.resize(static_cast<std::size_t>(columns.count) * static_cast<std::size_t>(rows.count) * depth);
  std::uint8_t* out = scratch.crop.data();
  for (const int y : NearestIndex(height, rows)) {
    const std::uint8_t* row = source + static_cast<std::size_t>(y) * static_cast<std::size_t>(width) * depth;
    for (const int x : xs) {
      std::memcpy(out, row + static_cast<std::size_t>(x) * depth, depth);
      out += depth;
    }
  }
}

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
    const Filter filter = transform.interpolation == "bicubic" ? Filter{Cubic, 2.0} : Filter{Triangle, 1.0};
    ResizeFiltered(source, width, height, transform.channels, x.window, y.window, filter, scratch);
  }
  Normalise(prepared, to_size, x, y, scratch.crop.data(), out);
}

}  // namespace sconce::torch_engine
