#include "torch/attribution.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <utility>

#include "torch/integral.h"

namespace sconce::torch_engine {
namespace {

using Tensors = std::vector<at::Tensor>;

// One number per row, shaped so that it multiplies a tensor of [rows, …].
at::Tensor PerRow(const std::vector<double>& numbers, const at::Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = static_cast<std::int64_t>(numbers.size());
  return at::tensor(numbers, at::kDouble).to(like.scalar_type()).view(shape);
}

// d score / d input at each row of the variants; zeros for an input that the score does not depend on.
Tensors Gradients(const Subject& subject, Tensors& variants, std::int64_t rows) {
  for (at::Tensor& variant : variants) variant.requires_grad_(true);
  const at::Tensor scores = subject.score(variants, rows);
  if (!scores.requires_grad()) {
    throw Stopped{{Code::kNotImplemented,
                   "the model's answer has no gradient by its inputs (it was rounded, compared or made under no_grad); "
                   "method=occlusion needs none"}};
  }
  Tensors gradients = torch::autograd::grad({scores.sum()}, variants, {}, false, false, true);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(variants[i]);
  }
  return gradients;
}

double ScoreOf(const Subject& subject, const Tensors& inputs) {
  const at::NoGradGuard no_grad;
  return subject.score(inputs, 1).item().toDouble();
}

Attribution IntegratedGradients(const Subject& subject, const ExplainSpec& spec) {
  const std::vector<PathPoint> points = PathPoints(spec.rule, spec.steps);
  Tensors ways;
  Tensors totals;
  for (std::size_t i = 0; i < subject.inputs.size(); ++i) {
    ways.push_back(subject.inputs[i] - subject.baselines[i]);
    totals.push_back(at::zeros_like(ways[i]));
  }
  for (std::size_t first = 0; first < points.size();) {
    const std::size_t count = std::min(points.size() - first, static_cast<std::size_t>(subject.max_rows));
    std::vector<double> at;
    std::vector<double> weights;
    for (std::size_t p = first; p < first + count; ++p) {
      at.push_back(points[p].at);
      weights.push_back(points[p].weight);
    }
    Tensors variants;
    for (std::size_t i = 0; i < ways.size(); ++i) {
      variants.push_back(subject.baselines[i] + PerRow(at, ways[i]) * ways[i]);
    }
    const Tensors gradients = Gradients(subject, variants, static_cast<std::int64_t>(count));
    for (std::size_t i = 0; i < ways.size(); ++i) {
      totals[i] += (gradients[i] * PerRow(weights, gradients[i])).sum(0, true);
    }
    first += count;
  }
  Attribution result;
  double sum = 0;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    result.values.push_back(totals[i] * ways[i]);
    sum += result.values[i].sum(at::kDouble).item().toDouble();
  }
  result.score = ScoreOf(subject, subject.inputs);
  result.delta = sum - (result.score - ScoreOf(subject, subject.baselines));
  return result;
}

Attribution Saliency(const Subject& subject) {
  Tensors variants;
  for (const at::Tensor& input : subject.inputs) variants.push_back(input.clone());
  Attribution result;
  for (const at::Tensor& gradient : Gradients(subject, variants, 1)) result.values.push_back(gradient.abs());
  result.score = ScoreOf(subject, subject.inputs);
  return result;
}

// Where a window can be along one dimension. The last one may reach over the edge and is then cut.
struct Slide {
  std::int64_t size = 1;
  std::int64_t window = 1;
  std::int64_t stride = 1;
  std::int64_t Count() const { return (size - window + stride - 1) / stride + 1; }
  std::int64_t From(std::int64_t place) const { return place * stride; }
  std::int64_t Length(std::int64_t place) const { return std::min(window, size - From(place)); }
};

Slide SlideAlong(std::int64_t size, std::int64_t window, std::int64_t stride) {
  Slide slide;
  slide.size = size;
  slide.window = window > 0 ? window : std::max<std::int64_t>(size / 8, 1);
  slide.stride = stride > 0 ? stride : std::max<std::int64_t>(slide.window / 2, 1);
  if (slide.window > size) {
    throw Stopped{{Code::kBadRequest, "the window is " + std::to_string(window) + " long, the input only " +
                                          std::to_string(size) + "; a smaller window fits"}};
  }
  if (slide.stride > slide.window && slide.window < size) {
    throw Stopped{{Code::kBadRequest, "a stride of " + std::to_string(slide.stride) + " with a window of " +
                                          std::to_string(slide.window) + " leaves out parts of the input"}};
  }
  return slide;
}

// The windows of one input, height and width being its last two dimensions; what comes before is covered whole.
struct Windows {
  Slide rows;
  Slide columns;
  std::int64_t Count() const { return rows.Count() * columns.Count(); }
  at::Tensor In(const at::Tensor& input, std::int64_t place) const {
    const std::int64_t row = place / columns.Count();
    const std::int64_t column = place % columns.Count();
    const at::Tensor part = input.narrow(-1, columns.From(column), columns.Length(column));
    return input.dim() < 3 ? part : part.narrow(-2, rows.From(row), rows.Length(row));
  }
};

Windows WindowsOf(const at::Tensor& input, const ExplainSpec& spec) {
  Windows windows;
  if (input.dim() < 2 || input.numel() == 0) {
    throw Stopped{{Code::kBadRequest, "occlusion needs an input with at least one dimension and one element"}};
  }
  windows.columns = SlideAlong(input.size(-1), spec.window[1], spec.stride[1]);
  if (input.dim() > 2) windows.rows = SlideAlong(input.size(-2), spec.window[0], spec.stride[0]);
  if (windows.Count() > kMaxOcclusions) {
    throw Stopped{{Code::kBadRequest, std::to_string(windows.Count()) + " windows fit into the input, the limit is " +
                                          std::to_string(kMaxOcclusions) + "; use a larger stride"}};
  }
  return windows;
}

// How much the score falls when a window of input `which` is covered, for every element the mean over its windows.
at::Tensor Occlude(const Subject& subject, std::size_t which, double score, const ExplainSpec& spec) {
  const at::Tensor& input = subject.inputs[which];
  const at::Tensor& baseline = subject.baselines[which];
  const Windows windows = WindowsOf(input, spec);
  const at::ScalarType numbers = input.is_floating_point() ? input.scalar_type() : at::kFloat;
  at::Tensor falls = at::zeros(input.sizes(), numbers);
  at::Tensor times = at::zeros_like(falls);
  for (std::int64_t first = 0; first < windows.Count();) {
    const std::int64_t count = std::min(windows.Count() - first, subject.max_rows);
    Tensors variants;
    for (const at::Tensor& each : subject.inputs)
      variants.push_back(at::cat(Tensors(static_cast<std::size_t>(count), each)));
    for (std::int64_t k = 0; k < count; ++k) {
      windows.In(variants[which].narrow(0, k, 1), first + k).copy_(windows.In(baseline, first + k));
    }
    const at::Tensor scores = subject.score(variants, count).to(at::kDouble).contiguous();
    for (std::int64_t k = 0; k < count; ++k) {
      windows.In(falls, first + k) += score - scores.const_data_ptr<double>()[k];
      windows.In(times, first + k) += 1;
    }
    first += count;
  }
  return falls / times;
}

Attribution Occlusion(const Subject& subject, const ExplainSpec& spec) {
  const at::NoGradGuard no_grad;
  Attribution result;
  result.score = ScoreOf(subject, subject.inputs);
  for (std::size_t i = 0; i < subject.inputs.size(); ++i) {
    result.values.push_back(Occlude(subject, i, result.score, spec));
  }
  return result;
}

}  // namespace

Attribution Attribute(const Subject& subject, const ExplainSpec& spec) {
  switch (spec.method) {
    case ExplainMethod::kIntegratedGradients:
      return IntegratedGradients(subject, spec);
    case ExplainMethod::kSaliency:
      return Saliency(subject);
    case ExplainMethod::kOcclusion:
      break;
  }
  return Occlusion(subject, spec);
}

}  // namespace sconce::torch_engine
