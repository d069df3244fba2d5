// How many threads libtorch's operators take when the calling thread runs them. Thread: the setting is the calling
// thread's.
#pragma once

namespace sconce::torch_engine {

void UseThreads(int count);  // less than 1 is 1

}  // namespace sconce::torch_engine
