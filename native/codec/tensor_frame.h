// The frame in which handlers hand tensors to the engine (src/handlers/tensor-frame.ts writes it). Little-endian:
//
//   0   "SCTF"
//   4   u32 version (1)
//   8   u32 rows: samples in this request
//   12  u32 tensors in each row
//   16  u64 bytes of the head: this header and all entries
//   24  an entry for each tensor, row after row:
//         u32 dtype (core/tensor.h), u32 rank, u32 bytes of the name, u32 0, u64 bytes of data,
//         i64 × rank sizes without the batch dimension, the name (UTF-8), zeros up to a multiple of 8
//       the data of each tensor in the same order, each from the next multiple of 64 on; the last byte ends the frame
//
// Tensors with names go to the inputs of those names, without names to the inputs in their order.
// Thread: pure functions.
#pragma once

#include <span>

#include "codec/layout.h"

namespace sconce::codec {

Status DecodeTensors(std::span<const std::byte> body, const Signature& signature, Layout& layout, Task& task);

}  // namespace sconce::codec
