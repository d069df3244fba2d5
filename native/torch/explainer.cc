#include "torch/explainer.h"

#include <ATen/Functions.h>
#include <malloc.h>
#include <sys/stat.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "codec/codec.h"
#include "core/clock.h"
#include "core/outcome.h"
#include "torch/attribution.h"
#include "torch/dtype.h"
#include "torch/encode_tensors.h"
#include "torch/failure.h"
#include "torch/outputs.h"
#include "torch/threads.h"

namespace sconce::torch_engine {
namespace {

at::Tensor OnBytes(const TensorView& view) {
  std::vector<std::int64_t> sizes{1};
  for (const std::int64_t dim : view.shape.dims()) sizes.push_back(dim);
  return at::from_blob(const_cast<std::byte*>(view.data), sizes, at::TensorOptions(ToTorch(view.dtype)));
}

// Memory of its own for every row: the model may write into it.
at::Tensor Repeated(const at::Tensor& one, std::int64_t rows) {
  return at::cat(std::vector<at::Tensor>(static_cast<std::size_t>(rows), one));
}

std::string Indices(const std::vector<std::int64_t>& target) {
  std::string text;
  for (const std::int64_t index : target) text.append(text.empty() ? "" : ",").append(std::to_string(index));
  return text;
}

// The place of the highest number of one sample's output [1, …].
std::vector<std::int64_t> Highest(const at::Tensor& output) {
  std::vector<std::int64_t> place;
  std::int64_t flat = output.reshape({-1}).argmax().item().toLong();
  for (std::int64_t d = output.dim() - 1; d > 0; --d) {
    place.insert(place.begin(), flat % output.size(d));
    flat /= output.size(d);
  }
  return place;
}

std::vector<std::int64_t> TargetIn(const at::Tensor& output, const ExplainSpec& spec) {
  if (spec.predicted) return Highest(output);
  const auto dims = static_cast<std::size_t>(output.dim() - 1);
  if (spec.target.empty()) return std::vector<std::int64_t>(dims, 0);
  const std::string shape = Shape(at::IntArrayRef(output.sizes()).slice(1).vec()).ToString();
  if (spec.target.size() != dims) {
    throw Stopped{{Code::kBadRequest, "target needs one index for each dimension of the model's answer " + shape +
                                          ", got " + Indices(spec.target)}};
  }
  for (std::size_t d = 0; d < dims; ++d) {
    if (spec.target[d] >= output.size(static_cast<std::int64_t>(d) + 1)) {
      throw Stopped{
          {Code::kBadRequest, "target " + Indices(spec.target) + " lies outside the model's answer " + shape}};
    }
  }
  return spec.target;
}

at::Tensor Select(at::Tensor output, const std::vector<std::int64_t>& target) {
  for (const std::int64_t index : target) output = output.select(1, index);
  return output;
}

TensorView ViewOf(const at::Tensor& tensor, std::size_t skip) {
  TensorView view;
  view.dtype = *FromTorch(tensor.scalar_type());
  for (const std::int64_t size : tensor.sizes().slice(skip)) view.shape.push_back(size);
  view.bytes = tensor.nbytes();
  view.data = static_cast<const std::byte*>(tensor.const_data_ptr());
  return view;
}

// Of vectors' attributions those of their tokens.
at::Tensor PerToken(const at::Tensor& vectors, const at::Tensor& ids) {
  at::Tensor sums = vectors.sum(-1);
  if (!sums.sizes().equals(ids.sizes())) {
    throw Stopped{{Code::kNotImplemented, "the model's embedding does not give one vector for each token id"}};
  }
  return sums;
}

// What one row gives; the tensors own the bytes of the views made of them.
struct RowResult {
  std::vector<at::Tensor> leaves;
  std::size_t inputs = 0;
};

OutputNode Layout(const std::vector<std::string>& names, bool detailed) {
  OutputNode values;
  if (names.size() != 1) {
    values.kind = OutputNode::Kind::kDict;
    values.keys = names;
    for (std::size_t i = 0; i < names.size(); ++i) {
      values.children.emplace_back();
      values.children.back().leaf = static_cast<int>(i);
    }
  }
  if (!detailed) return values;
  OutputNode all;
  all.kind = OutputNode::Kind::kDict;
  all.keys = {"attributions", "target", "score", "delta"};
  all.children.push_back(std::move(values));
  for (std::size_t i = 0; i < 3; ++i) {
    all.children.emplace_back();
    all.children.back().leaf = static_cast<int>(names.size() + i);
  }
  return all;
}

RowResult MakeResult(const Attribution& found, const std::vector<std::int64_t>& target, bool detailed) {
  RowResult result;
  result.inputs = found.values.size();
  for (const at::Tensor& value : found.values) result.leaves.push_back(value.detach().contiguous());
  if (!detailed) return result;
  result.leaves.push_back(at::tensor(target, at::kLong));
  result.leaves.push_back(at::scalar_tensor(found.score, at::kDouble));
  result.leaves.push_back(at::scalar_tensor(found.delta, at::kDouble));
  return result;
}

Status Write(Task& task, const std::vector<RowResult>& results, const std::vector<std::string>& names) {
  std::vector<std::vector<TensorView>> rows;
  for (const RowResult& result : results) {
    std::vector<TensorView>& row = rows.emplace_back();
    for (std::size_t i = 0; i < result.leaves.size(); ++i)
      row.push_back(ViewOf(result.leaves[i], i < result.inputs ? 1 : 0));
  }
  if (task.format == OutputFormat::kTensors) {
    EncodeTensors(rows, task.answer, task.leaves);
    return Status::Ok();
  }
  return codec::Encode(task.format, Layout(names, task.explain->detailed), rows, task.instances, task.answer,
                       "explanations");
}

}  // namespace

// One row's inputs as tensors, and which of them are explained.
struct Explainer::Sample {
  ArgPlan plan;
  std::vector<at::Tensor> inputs;  // [1, …]; undefined where an optional one was not sent
  std::vector<std::size_t> explained;
  bool embedded = false;  // the explained one are ids, and gradients start at the vectors made of them
};

Explainer::Explainer(std::string path, const RunnerOptions& options, const Executable& executable, int cores)
    : path_(std::move(path)),
      options_(options),
      executable_(executable),
      cores_(std::max(cores, 1)),
      mark_(FileMark()) {}

// The copy was made on the thread that explains, whose heap would keep its pages.
Explainer::~Explainer() {
  if (!module_) return;
  embedding_.reset();
  module_.reset();
  malloc_trim(0);
}

// Tells a file from another one that took its place.
std::string Explainer::FileMark() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return {};
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + ":" + std::to_string(info.st_size) + ":" +
         std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
}

Status Explainer::Load() {
  if (module_) return Status::Ok();
  if (FileMark() != mark_ || mark_.empty()) {
    return {Code::kNotReady,
            "the model's file was changed or removed since it was loaded, and an explanation loads it again; register "
            "the model anew"};
  }
  try {
    torch::jit::Module module = torch::jit::load(path_, c10::Device(c10::kCPU));
    module.eval();
    for (const at::Tensor& parameter : module.parameters()) parameter.set_requires_grad(false);
    embedding_ = EmbeddingGraph::Find(module);
    module_.emplace(std::move(module));
    return Status::Ok();
  } catch (...) {
    return CurrentFailure(Code::kInternal, "the model's copy for explanations does not load");
  }
}

void Explainer::Explain(Task& task, std::uint32_t max_rows) {
  const at::AutoGradMode grad(true);
  // The optimising executor pays off after many runs of one shape and keeps more memory; here neither is the case.
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  UseThreads(cores_);
  try {
    task.status = Load();
    if (task.status.ok()) task.status = ExplainRows(task, std::max<std::int64_t>(max_rows, 1));
  } catch (const Stopped& stopped) {
    task.status = stopped.status;
  } catch (...) {
    task.status = CurrentFailure(Code::kModelError, "the model raised while it was explained");
  }
}

Status Explainer::ExplainRows(Task& task, std::int64_t max_rows) {
  const ExplainSpec& spec = *task.explain;
  std::vector<RowResult> results;
  std::vector<std::string> names;
  for (const Row& row : task.rows) {
    Sample sample = Prepare(task, row);
    Choose(spec, sample);
    names = NamesOf(task, sample);
    Subject subject = MakeSubject(spec, sample);
    subject.max_rows = std::min(spec.batch, max_rows);
    std::vector<std::int64_t> target;
    {
      const at::NoGradGuard no_grad;
      target = TargetIn(Outputs(task, sample, subject.inputs, 1), spec);
    }
    subject.score = [&](const auto& some, auto n) { return Select(Outputs(task, sample, some, n), target); };
    Attribution found = Attribute(subject, spec);
    if (sample.embedded) found.values[0] = PerToken(found.values[0], sample.inputs[sample.explained[0]]);
    results.push_back(MakeResult(found, target, spec.detailed));
  }
  return Write(task, results, names);
}

Explainer::Sample Explainer::Prepare(const Task& task, const Row& row) {
  Sample sample;
  if (task.is_image) {
    sample.inputs.push_back(Picture(task));
  } else {
    for (const TensorView& view : row.inputs) sample.inputs.push_back(view.present ? OnBytes(view) : at::Tensor());
  }
  if (options_.signature.declared) {
    sample.plan = options_.plan;
  } else {
    Result<ArgPlan> plan = PlanSent(executable_.arguments(), task.names, sample.inputs.size());
    if (!plan.ok()) throw Stopped{plan.status()};
    sample.plan = std::move(*plan);
  }
  return sample;
}

at::Tensor Explainer::Picture(const Task& task) {
  if (!options_.image) throw Stopped{{Code::kBadRequest, "this model takes no images: it has no image transform"}};
  const ImageTransform& transform = options_.image->transform();
  const ImageInput& image = task.image;
  const Status fits = CheckPixels(image.width, image.height, image.channels, task.storage.size());
  if (!fits.ok()) throw Stopped{fits};
  const ImageSize size = OutputSize(transform, image.width, image.height);
  at::Tensor input = at::empty({1, transform.channels, size.height, size.width}, at::kFloat);
  TransformImage(*options_.image, task.storage.bytes(), image.width, image.height, image.channels, image_,
                 input.mutable_data_ptr<float>());
  return options_.signature.declared ? input.to(ToTorch(options_.signature.inputs[0].dtype)) : input;
}

// All floating inputs; without any, the token ids that an embedding looks up.
void Explainer::Choose(const ExplainSpec& spec, Sample& sample) const {
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    if (sample.inputs[i].defined() && sample.inputs[i].is_floating_point()) sample.explained.push_back(i);
  }
  if (!sample.explained.empty()) return;
  const std::size_t argument = embedding_ ? embedding_->argument() : sample.plan.slots.size();
  const int input = argument < sample.plan.slots.size() ? sample.plan.slots[argument].input : -1;
  if (input < 0 || !sample.inputs[static_cast<std::size_t>(input)].defined()) {
    throw Stopped{{Code::kNotImplemented,
                   "only inputs of floating point, and token ids that the model looks up in an embedding, can be "
                   "explained; this request has neither"}};
  }
  if (spec.method == ExplainMethod::kSaliency) {
    throw Stopped{{Code::kNotImplemented, "token ids have no saliency; use integrated_gradients or occlusion"}};
  }
  if (spec.baseline < 0 || spec.baseline != std::floor(spec.baseline)) {
    throw Stopped{{Code::kBadRequest, "the baseline of token ids is a token id: a whole number, 0 or more"}};
  }
  sample.explained.push_back(static_cast<std::size_t>(input));
  sample.embedded = spec.method == ExplainMethod::kIntegratedGradients;
}

Subject Explainer::MakeSubject(const ExplainSpec& spec, const Sample& sample) {
  Subject subject;
  for (const std::size_t input : sample.explained) {
    subject.inputs.push_back(sample.inputs[input]);
    subject.baselines.push_back(at::full_like(sample.inputs[input], spec.baseline));
  }
  if (!sample.embedded) return subject;
  const at::NoGradGuard no_grad;
  try {
    subject.inputs[0] = embedding_->Embed(Arguments(sample, subject.inputs, 1));
    subject.baselines[0] = embedding_->Embed(Arguments(sample, subject.baselines, 1));
  } catch (...) {
    throw Stopped{CurrentFailure(Code::kBadRequest, "the token ids or the baseline are not in the model's embedding")};
  }
  return subject;
}

// What forward() takes: variants of the explained inputs, the other inputs repeated.
torch::jit::Stack Explainer::Arguments(const Sample& sample, const std::vector<at::Tensor>& variants,
                                       std::int64_t rows) const {
  std::vector<at::Tensor> inputs(sample.inputs.size());
  for (std::size_t k = 0; k < variants.size(); ++k) inputs[sample.explained[k]] = variants[k];
  torch::jit::Stack stack;
  stack.emplace_back(module_->_ivalue());
  for (const ArgPlan::Slot& slot : sample.plan.slots) {
    const auto input = static_cast<std::size_t>(slot.input);
    if (slot.input < 0 || input >= inputs.size() || !sample.inputs[input].defined()) {
      stack.push_back(slot.fallback);
    } else {
      // The model may write into it.
      stack.emplace_back(inputs[input].defined() ? inputs[input].clone() : Repeated(sample.inputs[input], rows));
    }
  }
  return stack;
}

// The model's first output.
at::Tensor Explainer::Outputs(Task& task, const Sample& sample, const std::vector<at::Tensor>& variants,
                              std::int64_t rows) {
  if (EndIfDead(task, MonotonicNs())) throw Stopped{task.status};
  c10::IValue result;
  if (sample.embedded) {
    result = embedding_->Run(Arguments(sample, {}, rows), variants[0].clone());
  } else {
    torch::jit::Stack stack = Arguments(sample, variants, rows);
    module_->get_method("forward").function().run(stack);
    result = stack.back();
  }
  OutputNode layout;
  std::vector<at::Tensor> leaves;
  if (Status status = Flatten(result, {}, layout, leaves); !status.ok()) throw Stopped{status};
  if (leaves.empty()) throw Stopped{{Code::kNotImplemented, "the model's answer is None, so nothing can be explained"}};
  const at::Tensor& first = leaves[0];
  if (first.dim() == 0 || first.size(0) != rows || !first.is_floating_point()) {
    throw Stopped{{Code::kNotImplemented,
                   "the model's " + LeafName(layout, 0) +
                       " cannot be explained: it must be of floating point with the batch as its dimension 0"}};
  }
  return first;
}

// How the explained inputs are called in the answer.
std::vector<std::string> Explainer::NamesOf(const Task& task, const Sample& sample) const {
  std::vector<std::string> names;
  for (const std::size_t input : sample.explained) {
    if (options_.signature.declared) {
      names.push_back(options_.signature.inputs[input].name);
    } else {
      names.push_back(input < task.names.size() ? task.names[input] : std::to_string(input));
    }
  }
  return names;
}

}  // namespace sconce::torch_engine
