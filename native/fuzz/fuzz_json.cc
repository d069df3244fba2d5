// libFuzzer's entry for fuzz::Json.
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sconce::fuzz::Json(data, size);
  return 0;
}
