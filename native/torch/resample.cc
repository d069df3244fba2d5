#include "torch/resample.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace sconce::torch_engine {
namespace {

// 32-bit sums of 8-bit values with weights that may overshoot by less than 4: 22 bits are left for the fraction.
constexpr int kFractionBits = 32 - 8 - 2;

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
  int stride = 0;  // weights per output; those after its own are 0
  int most = 0;    // the largest count of a span
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
    taps.most = std::max(taps.most, last - first);
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
void HorizontalPixel(const std::uint8_t* pixel, int count, const std::int32_t* weights, std::uint8_t* out) {
  std::int32_t sums[static_cast<std::size_t>(C)];
  for (int c = 0; c < C; ++c) sums[c] = 1 << (kFractionBits - 1);
  for (int k = 0; k < count; ++k, pixel += C) {
    for (int c = 0; c < C; ++c) sums[c] += pixel[c] * weights[k];
  }
  for (int c = 0; c < C; ++c) out[c] = Clip(sums[c]);
}

template <int C>
void HorizontalRow(const std::uint8_t* source, const Taps& taps, const std::int32_t* weights, std::uint8_t* out) {
  for (const Taps::Span& span : taps.spans) {
    HorizontalPixel<C>(source + static_cast<std::ptrdiff_t>(span.from) * C, span.count, weights, out);
    out += C;
    weights += taps.stride;
  }
}

#ifdef __x86_64__
// The three channels side by side; the fourth place is the next pixel's first. Every output takes `most` pixels, some
// with the weight 0, since a number of them that changes is mispredicted; where the row ends before that, it takes its
// own.
__attribute__((target("avx2"))) void ColourRowAvx2(const std::uint8_t* source, int width, const Taps& taps,
                                                   const std::int32_t* weights, std::uint8_t* out) {
  for (const Taps::Span& span : taps.spans) {
    const std::uint8_t* pixel = source + static_cast<std::ptrdiff_t>(span.from) * 3;
    if (span.from + taps.most < width) {
      __m128i sums = _mm_set1_epi32(1 << (kFractionBits - 1));
      for (int k = 0; k < taps.most; ++k, pixel += 3) {
        std::int32_t bytes = 0;
        std::memcpy(&bytes, pixel, sizeof bytes);
        const __m128i values = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes));
        sums = _mm_add_epi32(sums, _mm_mullo_epi32(values, _mm_set1_epi32(weights[k])));
      }
      const __m128i shorts = _mm_packs_epi32(_mm_srai_epi32(sums, kFractionBits), sums);
      const std::int32_t clipped = _mm_cvtsi128_si32(_mm_packus_epi16(shorts, shorts));
      std::memcpy(out, &clipped, 3);
    } else {
      HorizontalPixel<3>(pixel, span.count, weights, out);
    }
    out += 3;
    weights += taps.stride;
  }
}
#endif

void ColourRow(const std::uint8_t* source, int width, const Taps& taps, const std::int32_t* weights,
               std::uint8_t* out) {
#ifdef __x86_64__
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return ColourRowAvx2(source, width, taps, weights, out);
#else
  static_cast<void>(width);
#endif
  HorizontalRow<3>(source, taps, weights, out);
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
      ColourRow(from, width, taps, scratch.weights.data(), to);
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

}  // namespace

void ResizeFiltered(const std::uint8_t* source, int width, int height, int channels, const Window& columns,
                    const Window& rows, bool bicubic, ImageScratch& scratch) {
  const Filter filter = bicubic ? Filter{Cubic, 2.0} : Filter{Triangle, 1.0};
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

}  // namespace sconce::torch_engine
