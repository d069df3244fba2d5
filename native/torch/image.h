// Decoded pixels to a normalised float tensor, as torchvision does it on a PIL image:
// [grey] -> Resize(short side, antialias) -> CenterCrop -> ToTensor -> Normalize. No libtorch here.
// Only the part that survives the crop is computed. Thread: TransformImage on any thread, with a scratch of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/status.h"
#include "torch/image_transform.h"

namespace sconce::torch_engine {

// Memory that one thread keeps between images.
struct ImageScratch {
  std::vector<std::uint8_t> pixels;   // the source with the target's channel count
  std::vector<std::uint8_t> rows;     // after the horizontal pass
  std::vector<std::uint8_t> crop;     // after the vertical pass
  std::vector<std::int32_t> weights;  // fixed point
  std::vector<double> raw_weights;
};

// An ImageTransform with its arithmetic prepared: per-channel tables from byte to normalised float.
class PreparedTransform {
 public:
  // `transform` has passed CheckTransform.
  explicit PreparedTransform(ImageTransform transform);
  const ImageTransform& transform() const { return transform_; }
  const float* Table(int channel) const { return tables_.data() + static_cast<std::size_t>(channel) * 256; }

 private:
  ImageTransform transform_;
  std::vector<float> tables_;
};

// kInvalidModel naming the field that makes no sense.
// Height and width of what TransformImage makes of a picture of this size.
struct ImageSize {
  int height = 0;
  int width = 0;
};
ImageSize OutputSize(const ImageTransform& transform, int width, int height);

Status CheckTransform(const ImageTransform& transform);

// Whether `source_bytes` hold width × height pixels of 1 to 4 channels (alpha is dropped); kBadRequest otherwise.
Status CheckPixels(int width, int height, int channels, std::size_t source_bytes);

// Writes [channels, crop, crop] floats. `pixels` are interleaved uint8 that passed CheckPixels.
void TransformImage(const PreparedTransform& prepared, std::span<const std::byte> pixels, int width, int height,
                    int channels, ImageScratch& scratch, float* out);

}  // namespace sconce::torch_engine
