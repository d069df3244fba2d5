#include "torch/threads.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace sconce::torch_engine {

// A thread's first operator that may run in parallel gives the thread what any thread set last, unless the thread has
// been there before. libtorch and this library may each keep their own note of that, so both are made to look first.
void UseThreads(int count) {
  at::internal::lazy_init_num_threads();
  static_cast<void>(at::get_num_threads());
  at::set_num_threads(std::max(count, 1));
}

}  // namespace sconce::torch_engine
