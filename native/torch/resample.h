// Resizing of interleaved 8-bit pixels as PIL does it, to the last bit, for the part of the result that is needed.
// No libtorch here. Thread: any, with a scratch of its own.
#pragma once

#include <cstdint>

#include "torch/image.h"

namespace sconce::torch_engine {

struct Window {  // the part [from, from + count) of an axis of `size`
  int size = 0;
  int from = 0;
  int count = 0;
};

// The window of the resized picture -> scratch.crop. Antialiased, with PIL's bilinear or bicubic filter. Rows that no
// output needs are never filtered.
void ResizeFiltered(const std::uint8_t* source, int width, int height, int channels, const Window& columns,
                    const Window& rows, bool bicubic, ImageScratch& scratch);

// The same by the nearest pixel.
void ResizeNearest(const std::uint8_t* source, int width, int height, int channels, const Window& columns,
                   const Window& rows, ImageScratch& scratch);

}  // namespace sconce::torch_engine
