// libFuzzer's entry for fuzz::V2.
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sconce::fuzz::V2(data, size);
  return 0;
}
