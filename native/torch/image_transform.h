// What an image model's preprocessing is; part of the load specification, free of libtorch.
#pragma once

#include <string>
#include <vector>

namespace sconce::torch_engine {

// How decoded pixels become a float tensor [channels, crop, crop] ([channels, height, width] without a crop):
// torchvision's Resize(resize, antialias) -> CenterCrop(crop) -> ToTensor -> Normalize(mean, std).
struct ImageTransform {
  int resize = 256;  // short side after resizing; 0: resize to crop × crop exactly
  int crop = 224;    // 0, with resize 0: the picture keeps its own size
  int channels = 3;  // 1: grey
  bool bgr = false;
  std::string interpolation = "bilinear";  // or "bicubic", "nearest"
  std::vector<float> mean;                 // one per channel, in units of [0, 1]
  std::vector<float> std;
};

}  // namespace sconce::torch_engine
