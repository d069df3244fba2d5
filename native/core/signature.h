// What a model says about its inputs and outputs. Immutable after load.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"

namespace sconce {

struct InputSpec {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;            // without the batch dimension, -1 is any length
  bool optional = false;  // may be left out of a request
};

struct Signature {
  bool declared = false;             // false: inputs are taken as they come (JSON -> float32)
  std::vector<InputSpec> inputs;     // in the order of the model's forward()
  std::vector<std::string> outputs;  // names for a model that returns a tuple or list; may be empty
};

// What a leaf was in the model's result. A number or a text belongs to the whole batch, whatever its rows; it is
// carried as a tensor without dimensions, or as one of its UTF-8 bytes.
enum class LeafKind : std::uint8_t { kTensor, kNumber, kText };

// The structure of a model's result; leaves are numbered in order of appearance.
struct OutputNode {
  enum class Kind : std::uint8_t { kTensor, kList, kDict, kNone };
  Kind kind = Kind::kTensor;
  int leaf = 0;                      // kTensor: index into the leaves
  std::vector<OutputNode> children;  // kList (tuple, list), kDict (dict, NamedTuple)
  std::vector<std::string> keys;     // kDict: one per child
  LeafKind leaf_kind = LeafKind::kTensor;
};

}  // namespace sconce
