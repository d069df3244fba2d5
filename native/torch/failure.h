// From exceptions to Status: what a client may read of a model's failure.
// Thread: pure functions, usable anywhere.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"

namespace sconce::torch_engine {

inline constexpr std::size_t kMaxFailureBytes = 1024;

// The one line of libtorch's text that says what went wrong: no stack, no paths, at most kMaxFailureBytes.
std::string FailureLine(std::string_view what);

// Call inside a catch block. kOutOfMemory when an allocation failed, else `code` with "<prefix>: <line>".
Status CurrentFailure(Code code, std::string_view prefix);

}  // namespace sconce::torch_engine
