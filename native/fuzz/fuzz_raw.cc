// libFuzzer's entry for fuzz::Raw.
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sconce::fuzz::Raw(data, size);
  return 0;
}
