#include "torch/value_reader.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "torch/node_kind.h"

namespace sconce::torch_engine {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

bool IsTensor(const Value& value) { return value.type()->isSubtypeOf(*c10::TensorType::get()); }

// Numbers of one tensor made into one number, or into one along a dimension.
bool Reduces(const Node& node) {
  static const Ops kOps = {"aten::all",      "aten::amax",     "aten::amin",          "aten::aminmax",
                           "aten::any",      "aten::argmax",   "aten::argmin",        "aten::count_nonzero",
                           "aten::max",      "aten::mean",     "aten::median",        "aten::min",
                           "aten::nanmean",  "aten::nansum",   "aten::nanmedian",     "aten::norm",
                           "aten::prod",     "aten::quantile", "aten::nanquantile",   "aten::std",
                           "aten::std_mean", "aten::sum",      "aten::linalg_norm",   "aten::linalg_vector_norm",
                           "aten::var",      "aten::var_mean", "aten::frobenius_norm"};
  return kOps.contains(KindOf(node));
}

// No dimension is given: over all elements, so over all samples.
bool OverEverything(const Node& node) {
  const c10::FunctionSchema* const schema = node.maybeSchema();
  if (schema == nullptr || !Reduces(node)) return false;
  for (std::size_t i = 0; i < schema->arguments().size() && i < node.inputs().size(); ++i) {
    const std::string& name = schema->arguments()[i].name();
    if (name == "other") return false;  // the larger of two, element by element
    if (name != "dim") continue;
    const Node* const made = node.input(i)->node();
    if (made->kind() == c10::prim::ListConstruct) return made->inputs().empty();
    const std::optional<c10::IValue> dim = torch::jit::toIValue(node.input(i));
    return dim && (dim->isNone() || (dim->isIntList() && dim->toIntVector().empty()));
  }
  return true;
}

// Takes nothing from a tensor but its shape and type.
bool TakesShapeOnly(const Node& node) {
  static const Ops kOps = {"aten::empty_like", "aten::zeros_like", "aten::ones_like", "aten::full_like",
                           "aten::rand_like",  "aten::randn_like", "aten::new_empty", "aten::new_zeros",
                           "aten::new_ones",   "aten::new_full"};
  return kOps.contains(KindOf(node));
}

// What the operator writes into of its arguments, or gives a view of, as its schema says.
const c10::AliasInfo* AliasOf(const std::vector<c10::Argument>& arguments, std::size_t i) {
  return i < arguments.size() ? arguments[i].alias_info() : nullptr;
}

bool IsView(const Node& node) {
  const c10::FunctionSchema* const schema = node.maybeSchema();
  return schema != nullptr && !schema->is_mutable() && !node.inputs().empty() && !node.outputs().empty() &&
         AliasOf(schema->arguments(), 0) != nullptr && AliasOf(schema->returns(), 0) != nullptr;
}

// Puts values side by side and computes nothing.
bool OnlyHolds(const Node& node) {
  return node.kind() == c10::prim::ListConstruct || node.kind() == c10::prim::TupleConstruct ||
         node.kind() == c10::prim::DictConstruct;
}

// The loss is a sum over all samples, and each sample's gradient its own all the same.
bool TakesGradients(const Node& node) { return KindOf(node) == "aten::grad"; }

// Follows the inputs' numbers through the graph, and sizes that depend on them, until one decides what is computed.
class ValueReader {
 public:
  explicit ValueReader(const Graph& graph) {
    for (std::size_t i = 1; i < graph.inputs().size(); ++i) marks_[graph.inputs()[i]] = kNumbers;  // 0 is self
    for (changed_ = true; changed_ && !decides_;) {  // loops carry marks around
      changed_ = false;
      Visit(*graph.block());
    }
  }

  bool decides() const { return decides_; }

 private:
  using Mark = unsigned;
  static constexpr Mark kNumbers = 1;  // the elements are the inputs', or made from them: each sample has its own
  static constexpr Mark kSize = 2;     // the size depends on such elements
  static constexpr Mark kScalar = 4;   // a number of Python's that was one of those elements
  static constexpr Mark kSummary = 8;  // made of all such elements of a tensor: one for all samples

  Mark Of(const Value* value) const {
    const auto found = marks_.find(value);
    return found == marks_.end() ? 0 : found->second;
  }

  template <typename Values>
  Mark OfAll(const Values& values) const {
    Mark mark = 0;
    for (const Value* value : values) mark |= Of(value);
    return mark;
  }

  void Set(const Value* value, Mark mark) {
    Mark& old = marks_[value];
    changed_ = changed_ || (old | mark) != old;
    old |= mark;
  }

  static bool IsScalar(const c10::TypePtr& type) {
    if (const auto list = type->cast<c10::ListType>()) return IsScalar(list->getElementType());
    if (const auto optional = type->cast<c10::OptionalType>()) return IsScalar(optional->getElementType());
    return type->isSubtypeOf(*c10::NumberType::get()) || type->kind() == c10::TypeKind::BoolType;
  }

  // Gives elements of a tensor to Python's code.
  static bool TakesNumbers(const Node& node) {
    static const Ops kOps = {"aten::item",
                             "aten::Bool",
                             "aten::Int",
                             "aten::Float",
                             "aten::Complex",
                             "aten::ScalarImplicit",
                             "aten::IntImplicit",
                             "aten::FloatImplicit",
                             "aten::ComplexImplicit",
                             "aten::is_nonzero",
                             "aten::equal",
                             "aten::allclose",
                             "prim::tolist",
                             "aten::tolist",
                             "aten::_local_scalar_dense",
                             "aten::_nested_tensor_from_mask_left_aligned"};
    return kOps.contains(KindOf(node));
  }

  static bool SizedByNumbers(const Node& node) {
    static const Ops kOps = {"aten::nonzero",    "aten::nonzero_numpy",      "aten::argwhere", "aten::masked_select",
                             "aten::unique_dim", "aten::unique_consecutive", "aten::_unique",  "aten::_unique2",
                             "aten::bincount",   "torchvision::nms"};
    return kOps.contains(KindOf(node));
  }

  // x[mask]: as many elements as the mask has that are true.
  static bool IndexesByMask(const Node& node) {
    static const Ops kMasks = {"aten::gt",          "aten::ge",         "aten::lt",          "aten::le",
                               "aten::eq",          "aten::ne",         "aten::logical_and", "aten::logical_or",
                               "aten::logical_not", "aten::isnan",      "aten::isfinite",    "aten::__and__",
                               "aten::__or__",      "aten::bitwise_not"};
    if (node.kind() != c10::aten::index || node.inputs().size() < 2) return false;
    const Node* list = node.input(1)->node();
    return std::ranges::any_of(list->inputs(),
                               [](const Value* each) { return kMasks.contains(KindOf(*each->node())); });
  }

  // A check that only raises changes no answer: what fails in a batch is run again alone.
  static bool OnlyRaises(const Block& block) {
    return std::ranges::any_of(block.nodes(),
                               [](const Node* node) { return node->kind() == c10::prim::RaiseException; });
  }

  void Visit(const Block& block) {
    for (const Node* node : block.nodes()) {
      if (node->kind() == c10::prim::If) {
        VisitIf(*node);
      } else if (node->kind() == c10::prim::Loop) {
        VisitLoop(*node);
      } else {
        VisitOp(*node);
      }
    }
  }

  void VisitIf(const Node& node) {
    const Block& yes = *node.blocks()[0];
    const Block& no = *node.blocks()[1];
    const Mark decider = Of(node.input(0)) & kScalar;
    if (decider != 0 && !OnlyRaises(yes) && !OnlyRaises(no)) decides_ = true;
    Visit(yes);
    Visit(no);
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      Set(node.outputs()[i], Of(yes.outputs()[i]) | Of(no.outputs()[i]));
    }
  }

  // Inputs: trip count, condition, what is carried. The body's: the trip, what is carried; its outputs start with the
  // condition.
  void VisitLoop(const Node& node) {
    const Block& body = *node.blocks()[0];
    for (std::size_t i = 2; i < node.inputs().size(); ++i) Set(body.inputs()[i - 1], Of(node.input(i)));
    Visit(body);
    const Mark decider = Of(node.input(0)) | Of(node.input(1)) | Of(body.outputs()[0]);
    if ((decider & kScalar) != 0) decides_ = true;
    for (std::size_t i = 1; i < body.outputs().size(); ++i) {
      Set(body.inputs()[i], Of(body.outputs()[i]));
      Set(node.outputs()[i - 1], Of(body.outputs()[i]) | Of(node.input(i + 1)));
    }
  }

  // Marks of the tensors that the node gives.
  static Mark TensorsOf(const Node& node, Mark given) {
    Mark marks = given & (kNumbers | kSummary | kSize);
    const bool numbers = (given & (kNumbers | kSummary)) != 0;
    if (numbers && (SizedByNumbers(node) || IndexesByMask(node))) marks |= kSize;
    if ((given & kNumbers) != 0 && TakesGradients(node)) marks &= ~kSummary;
    if ((given & kNumbers) != 0 && OverEverything(node)) marks = (marks & ~kNumbers) | kSummary;
    return marks;
  }

  void VisitOp(const Node& node) {
    Mark given = OfAll(node.inputs());
    if (TakesShapeOnly(node)) given &= ~(kNumbers | kSummary);
    if (given == 0) return;
    // The summary of all samples meets each sample's numbers: as a bound, a factor, a condition.
    const bool meet = (given & kNumbers) != 0 && (given & kSummary) != 0;
    if (meet && !OnlyHolds(node) && !TakesGradients(node)) decides_ = true;
    const bool takes = TakesNumbers(node) && (given & (kNumbers | kSummary)) != 0;
    const Mark scalars = (given & kScalar) | ((given & kSize) != 0 || takes ? kScalar : 0);
    for (const Value* output : node.outputs()) {
      if (IsScalar(output->type())) {
        Set(output, scalars);
      } else {
        // A tensor that a number of Python's went into: as a factor, a bound, a size.
        if ((given & kScalar) != 0 && IsTensor(*output)) decides_ = true;
        Set(output, TensorsOf(node, given) | (given & kScalar));
      }
    }
    SetWritten(node, TensorsOf(node, given) | (given & kScalar));
    for (const Block* inner : node.blocks()) Visit(*inner);
  }

  // What is written in place holds those numbers from then on, and so does what it is a view of.
  void SetWritten(const Node& node, Mark mark) {
    const c10::FunctionSchema* const schema = node.maybeSchema();
    if (schema == nullptr || !schema->is_mutable()) return;
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const c10::AliasInfo* const alias = AliasOf(schema->arguments(), i);
      if (alias == nullptr || !alias->isWrite()) continue;
      Set(node.input(i), mark);
      for (const Value* base = node.input(i); IsView(*base->node());) {
        base = base->node()->input(0);
        Set(base, mark);
      }
    }
  }

  std::unordered_map<const Value*, Mark> marks_;
  bool changed_ = false;
  bool decides_ = false;
};

}  // namespace

bool ReadsValues(const Graph& graph) { return ValueReader(graph).decides(); }

}  // namespace sconce::torch_engine
