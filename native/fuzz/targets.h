// What every parser of untrusted bytes has to hold, for any bytes: libFuzzer calls these on what it invents, the replay
// test on the committed corpora. A broken promise aborts.
// Thread: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sconce::fuzz {

// The first byte picks one of a few signatures, the rest is the body.
void Json(const std::uint8_t* data, std::size_t size);
void Npy(const std::uint8_t* data, std::size_t size);
void Raw(const std::uint8_t* data, std::size_t size);
void Tensors(const std::uint8_t* data, std::size_t size);
// As JSON alone, and with the two bytes after the first as the length of the JSON before the tensors' bytes.
void V2(const std::uint8_t* data, std::size_t size);

}  // namespace sconce::fuzz
