// libFuzzer's entry for fuzz::Tensors.
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sconce::fuzz::Tensors(data, size);
  return 0;
}
