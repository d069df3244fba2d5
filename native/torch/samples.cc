#include "torch/samples.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <utility>

#include "codec/codec.h"
#include "torch/numbers.h"

namespace sconce::torch_engine {
namespace {

Shape ConcreteShape(const Shape& declared) {
  Shape shape;
  for (const std::int64_t dim : declared.dims()) shape.push_back(dim < 0 ? kFreeDimLength : dim);
  return shape;
}

void FillRandom(DType dtype, std::size_t count, std::mt19937_64& random, std::byte* out) {
  std::normal_distribution<double> normal;
  const bool floating = IsFloating(dtype);
  for (std::size_t i = 0; i < count; ++i) {
    StoreNumber(dtype, floating ? normal(random) : static_cast<double>(random() & 1U), out + i * ByteSize(dtype));
  }
}

// A little noise, so that samples made from one file differ from each other.
void Disturb(DType dtype, std::size_t count, std::mt19937_64& random, std::byte* data) {
  if (!IsFloating(dtype)) return;
  std::normal_distribution<double> normal(1.0, 0.05);
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* at = data + i * ByteSize(dtype);
    StoreNumber(dtype, LoadNumber(dtype, at) * normal(random), at);
  }
}

Status ReadNpy(const std::string& path, const Signature& signature, Task& task) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {Code::kInvalidModel, "warm-up sample " + path + ": cannot be read"};
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  Signature first = signature;
  if (first.inputs.size() > 1) first.inputs.resize(1);
  const std::span<const std::byte> span{reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
  const Status status = codec::Decode(codec::InputFormat::kNpy, span, first, codec::Limits{}, task);
  if (!status.ok()) return {Code::kInvalidModel, "warm-up sample " + path + ": " + status.message()};
  if (task.rows.empty() || task.rows[0].inputs.empty()) {
    return {Code::kInvalidModel, "warm-up sample " + path + ": holds no sample"};
  }
  return Status::Ok();
}

struct Plan {  // where each input of a sample lies in the task's storage
  std::vector<TensorView> views;
  std::vector<std::size_t> offsets;
  std::size_t bytes = 0;
};

Plan LayOut(const Signature& signature, const Row* first) {
  Plan plan;
  const std::size_t count = signature.declared ? signature.inputs.size() : first->inputs.size();
  for (std::size_t i = 0; i < count; ++i) {
    TensorView view;
    if (first != nullptr && i < first->inputs.size()) {
      view = first->inputs[i];
    } else {
      view.dtype = signature.inputs[i].dtype;
      view.shape = ConcreteShape(signature.inputs[i].shape);
      view.bytes = TensorBytes(view.shape, view.dtype).value_or(0);
    }
    plan.offsets.push_back(plan.bytes);
    plan.bytes += (view.bytes + Buffer::kAlign - 1) / Buffer::kAlign * Buffer::kAlign;
    plan.views.push_back(view);
  }
  return plan;
}

TaskPtr MakeSample(const Signature& signature, const Task& file, std::size_t index) {
  const Row* given = file.rows.empty() ? nullptr : &file.rows[index % file.rows.size()];
  const Plan plan = LayOut(signature, given);
  std::mt19937_64 random(index + 1);
  auto task = std::make_unique<Task>();
  task->format = OutputFormat::kTensors;
  task->storage.Resize(std::max<std::size_t>(plan.bytes, 1));
  task->rows.resize(1);
  for (std::size_t i = 0; i < plan.views.size(); ++i) {
    TensorView view = plan.views[i];
    std::byte* to = task->storage.data() + plan.offsets[i];
    const std::size_t elements = view.bytes / ByteSize(view.dtype);
    if (given != nullptr && i < given->inputs.size()) {
      if (view.bytes > 0) std::memcpy(to, view.data, view.bytes);
      if (index >= file.rows.size()) Disturb(view.dtype, elements, random, to);
    } else {
      FillRandom(view.dtype, elements, random, to);
    }
    view.data = to;
    task->rows[0].inputs.push_back(view);
  }
  return task;
}

double LargestMagnitude(const LeafInfo& leaf, const Answer& answer) {
  double largest = 0;
  for (std::size_t at = 0; at < leaf.bytes; at += ByteSize(leaf.dtype)) {
    const double value = std::abs(LoadNumber(leaf.dtype, answer.bytes.data() + leaf.offset + at));
    if (std::isfinite(value)) largest = std::max(largest, value);
  }
  return largest;
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string NameOf(const Answer& answer, std::size_t leaf) {
  const std::string& name = answer.leaves[leaf].name;
  return name.empty() ? "output " + std::to_string(leaf) : "output '" + name + "'";
}

std::string Described(const LeafInfo& leaf) { return std::string(DTypeName(leaf.dtype)) + ' ' + leaf.shape.ToString(); }

std::string Text(DType dtype, const std::byte* at) {
  if (dtype == DType::kInt64) {
    std::int64_t whole = 0;
    std::memcpy(&whole, at, sizeof whole);
    return std::to_string(whole);
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", LoadNumber(dtype, at));
  return text;
}

// Why two answers cannot be compared number by number; empty: they can.
std::string OtherKind(const Answer& a, const Answer& b) {
  if (a.leaves.size() != b.leaves.size()) {
    return "it has " + std::to_string(a.leaves.size()) + " outputs instead of " + std::to_string(b.leaves.size());
  }
  for (std::size_t i = 0; i < a.leaves.size(); ++i) {
    const LeafInfo& x = a.leaves[i];
    const LeafInfo& y = b.leaves[i];
    if (x.dtype == y.dtype && x.shape == y.shape) continue;
    return NameOf(b, i) + " is " + Described(x) + " instead of " + Described(y);
  }
  return {};
}

// Two outputs of one dtype and shape, element by element.
class Elements {
 public:
  Elements(std::size_t leaf, const Answer& a, const Answer& b)
      : dtype_(b.leaves[leaf].dtype),
        a_(a.bytes.data() + a.leaves[leaf].offset),
        b_(b.bytes.data() + b.leaves[leaf].offset),
        name_(NameOf(b, leaf)) {}

  double a(std::size_t at) const { return LoadNumber(dtype_, a_ + at); }
  double b(std::size_t at) const { return LoadNumber(dtype_, b_ + at); }
  bool same_bits(std::size_t at) const { return std::memcmp(a_ + at, b_ + at, ByteSize(dtype_)) == 0; }
  std::string Words(std::size_t at) const {
    return name_ + " has " + Text(dtype_, a_ + at) + " instead of " + Text(dtype_, b_ + at);
  }

 private:
  DType dtype_;
  const std::byte* a_;
  const std::byte* b_;
  std::string name_;
};

// The largest |a-b| of one output and where it is; infinity where a whole number or what is not finite differs.
double LargestDifference(const LeafInfo& leaf, const Elements& both, std::size_t* where) {
  double largest = 0;
  for (std::size_t at = 0; at < leaf.bytes; at += ByteSize(leaf.dtype)) {
    if (both.same_bits(at)) continue;
    const double p = both.a(at);
    const double q = both.b(at);
    const bool numbers = std::isfinite(p) && std::isfinite(q) && IsFloating(leaf.dtype);
    if (!numbers && IsFloating(leaf.dtype) && (p == q || (std::isnan(p) && std::isnan(q)))) continue;
    const double difference = numbers ? std::abs(p - q) : kInfinity;
    if (difference <= largest) continue;
    largest = difference;
    *where = at;
  }
  return largest;
}

bool Close(double a, double b, double absolute, double relative) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::abs(a - b) <= absolute + relative * std::abs(b);
}

// Steps of a dtype's own precision are no difference that a form or a batch can be blamed for.
double Widen(DType dtype, double tolerance) {
  if (dtype == DType::kFloat16) return std::max(tolerance, 1e-3);
  if (dtype == DType::kBFloat16) return std::max(tolerance, 8e-3);
  return tolerance;
}

}  // namespace

Result<std::vector<TaskPtr>> MakeSamples(const Signature& signature, const std::string& npy, std::size_t count) {
  Task file;
  if (!npy.empty()) {
    if (Status status = ReadNpy(npy, signature, file); !status.ok()) return status;
  }
  std::vector<TaskPtr> samples;
  for (std::size_t i = 0; i < count; ++i) samples.push_back(MakeSample(signature, file, i));
  return samples;
}

bool Scale(Task& sample, double factor) {
  bool any = false;
  for (const TensorView& view : sample.rows[0].inputs) {
    if (!IsFloating(view.dtype)) continue;
    std::byte* const data = sample.storage.data() + (view.data - sample.storage.data());  // the view may only read
    for (std::size_t at = 0; at < view.bytes; at += ByteSize(view.dtype)) {
      StoreNumber(view.dtype, factor * LoadNumber(view.dtype, data + at), data + at);
    }
    any = true;
  }
  return any;
}

Answer TakeAnswer(Task& task) { return {std::move(task.answer), std::move(task.leaves)}; }

bool SameAnswer(const Answer& a, const Answer& b, double tolerance, std::string* difference) {
  *difference = OtherKind(a, b);
  for (std::size_t i = 0; difference->empty() && i < b.leaves.size(); ++i) {
    const LeafInfo& leaf = b.leaves[i];
    const Elements both(i, a, b);
    const double relative = Widen(leaf.dtype, tolerance);
    const double absolute = relative * LargestMagnitude(leaf, b);
    for (std::size_t at = 0; difference->empty() && at < leaf.bytes; at += ByteSize(leaf.dtype)) {
      const bool close =
          both.same_bits(at) || (IsFloating(leaf.dtype) && Close(both.a(at), both.b(at), absolute, relative));
      if (!close) *difference = both.Words(at);
    }
  }
  return difference->empty();
}

double RelativeDifference(const Answer& a, const Answer& b, std::string* difference) {
  if (std::string other = OtherKind(a, b); !other.empty()) {
    *difference = std::move(other);
    return kInfinity;
  }
  double worst = 0;
  for (std::size_t i = 0; i < b.leaves.size(); ++i) {
    const Elements both(i, a, b);
    std::size_t where = 0;
    const double largest = LargestDifference(b.leaves[i], both, &where);
    const double scale = LargestMagnitude(b.leaves[i], b);
    const double share = largest == 0 ? 0 : std::isfinite(largest) && scale > 0 ? largest / scale : kInfinity;
    if (share <= worst) continue;
    worst = share;
    *difference = both.Words(where);
  }
  return worst;
}

void NameAsTheFirst(std::vector<Answer>& answers) {
  for (Answer& answer : answers) {
    const std::size_t known = std::min(answer.leaves.size(), answers[0].leaves.size());
    for (std::size_t i = 0; i < known; ++i) answer.leaves[i].name = answers[0].leaves[i].name;
  }
}

}  // namespace sconce::torch_engine
