// A model's result: which tensors, numbers and texts it holds and how they hang together.
// Thread: pure functions; called on executor threads.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <string>
#include <vector>

#include "core/signature.h"
#include "core/status.h"

namespace sconce::torch_engine {

// Collects the tensors of `value` into `leaves` and describes the structure in `layout`; numbers and texts become
// tensors as LeafKind says. `names` turns a tuple or list at the top into a dict. kBadOutput names what cannot be a
// leaf, or the mismatch in number.
Status Flatten(const c10::IValue& value, const std::vector<std::string>& names, OutputNode& layout,
               std::vector<at::Tensor>& leaves);

// The same for a value whose structure is expected to be `layout`; false when it is not (leaves are then undefined).
bool FlattenLike(const c10::IValue& value, const OutputNode& layout, std::vector<at::Tensor>& leaves);

// What each leaf was.
std::vector<LeafKind> LeafKinds(const OutputNode& layout);

// How messages call a leaf: "output", "output 'boxes'", "output 'boxes[1]'".
std::string LeafName(const OutputNode& layout, int leaf);

}  // namespace sconce::torch_engine
