#include "torch/encode_tensors.h"

#include <array>

namespace sconce::torch_engine {

void EncodeTensors(std::span<const std::vector<TensorView>> rows, Buffer& answer, std::vector<LeafInfo>& leaves) {
  static constexpr std::array<std::byte, 8> kPadding{};
  answer.Clear();
  leaves.clear();
  for (const std::vector<TensorView>& row : rows) {
    for (const TensorView& view : row) {
      answer.Append(kPadding.data(), (8 - answer.size() % 8) % 8);
      LeafInfo info;
      info.dtype = view.dtype;
      info.shape = view.shape;
      info.offset = answer.size();
      info.bytes = view.bytes;
      leaves.push_back(info);
      answer.Append(view.data, view.bytes);
    }
  }
}

}  // namespace sconce::torch_engine
