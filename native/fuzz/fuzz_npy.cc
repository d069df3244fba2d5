// libFuzzer's entry for fuzz::Npy.
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sconce::fuzz::Npy(data, size);
  return 0;
}
