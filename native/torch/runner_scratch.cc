#include "torch/runner_scratch.h"

#include "torch/dtype.h"

namespace sconce::torch_engine {
namespace {

Status OfWholeBatch(const OutputNode& layout, std::size_t leaf, LeafKind kind) {
  return {Code::kBadOutput, "the model's " + LeafName(layout, static_cast<int>(leaf)) + " is one " +
                                (kind == LeafKind::kText ? "text" : "number") +
                                " for the whole batch, so samples must run one by one (batchSize: 1)"};
}

Status WrongRows(const OutputNode& layout, std::size_t leaf, const at::Tensor& tensor, std::size_t rows) {
  return {Code::kBadOutput, "the model's " + LeafName(layout, static_cast<int>(leaf)) +
                                " cannot be split per sample: its dimension 0 must be the batch (" +
                                std::to_string(rows) + "), it is " + std::to_string(tensor.size(0))};
}

// A dense tensor with a dtype that has a wire form.
Status CheckPlain(const OutputNode& layout, std::size_t leaf, const at::Tensor& tensor) {
  if (tensor.layout() != at::kStrided || tensor.is_nested()) {
    const char* const kind = tensor.is_nested() ? "nested" : "sparse";
    return {Code::kBadOutput, "the model's " + LeafName(layout, static_cast<int>(leaf)) + " is a " + kind +
                                  " tensor, which has no wire form; return a dense one"};
  }
  if (tensor.is_quantized() || !FromTorch(tensor.scalar_type())) {
    return {Code::kBadOutput, "the model's " + LeafName(layout, static_cast<int>(leaf)) + " has dtype " +
                                  c10::toString(tensor.scalar_type()) + ", which has no wire form"};
  }
  if (tensor.dim() > kMaxDims) {
    return {Code::kBadOutput, "the model's " + LeafName(layout, static_cast<int>(leaf)) + " has " +
                                  std::to_string(tensor.dim()) + " dimensions, the limit is " +
                                  std::to_string(kMaxDims)};
  }
  return Status::Ok();
}

}  // namespace

Status TorchRunner::Scratch::CheckRows(std::size_t row_count) const {
  for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    const at::Tensor& tensor = leaves[leaf];
    if (Status status = CheckPlain(layout, leaf, tensor); !status.ok()) return status;
    if (is_own(leaf)) {
      if (row_count != 1) return OfWholeBatch(layout, leaf, kinds[leaf]);
    } else if (tensor.size(0) != static_cast<std::int64_t>(row_count)) {
      return WrongRows(layout, leaf, tensor, row_count);
    }
  }
  return Status::Ok();
}

// Views of the leaves, in host memory, row by row, appended to `views`.
Status TorchRunner::Scratch::Split(std::size_t row_count) {
  if (Status status = CheckRows(row_count); !status.ok()) return status;
  if (Status status = device.Download(leaves, *stream, *done); !status.ok()) return status;
  if (views.size() < view_count + row_count) views.resize(view_count + row_count);
  for (std::size_t r = 0; r < row_count; ++r) views[view_count + r].resize(leaves.size());
  for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    at::Tensor& tensor = leaves[leaf];
    if (tensor.is_neg()) tensor = tensor.resolve_neg();
    if (!tensor.is_contiguous()) tensor = tensor.contiguous();
    TensorView view;
    view.dtype = *FromTorch(tensor.scalar_type());
    const at::IntArrayRef sizes = tensor.sizes();
    for (std::size_t d = is_own(leaf) ? 0 : 1; d < sizes.size(); ++d) view.shape.push_back(sizes[d]);
    view.bytes = tensor.nbytes() / row_count;
    view.data = static_cast<const std::byte*>(tensor.const_data_ptr());
    for (std::size_t r = 0; r < row_count; ++r) {
      views[view_count + r][leaf] = view;
      view.data += view.bytes;
    }
  }
  view_count += row_count;
  return Status::Ok();
}

}  // namespace sconce::torch_engine
