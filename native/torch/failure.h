// From exceptions to Status: what a client may read of a model's failure.
// Thread: pure functions, usable anywhere.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "core/status.h"

namespace sconce::torch_engine {

inline constexpr std::size_t kMaxFailureBytes = 1024;

// A Status on its way through code that throws; CurrentFailure gives it back as it was.
class StatusError final : public std::exception {
 public:
  explicit StatusError(Status status) : status_(std::move(status)) {}
  const char* what() const noexcept override { return status_.message().c_str(); }
  const Status& status() const { return status_; }

 private:
  Status status_;
};

// The value, or a StatusError.
template <typename T>
T OrThrow(Result<T> result) {
  if (!result.ok()) throw StatusError(result.status());
  return std::move(*result);
}

// The one line of libtorch's text that says what went wrong: no stack, no paths, at most kMaxFailureBytes.
std::string FailureLine(std::string_view what);

// Call inside a catch block. kOutOfMemory when an allocation failed, kDeviceLost when libtorch names a CUDA error that
// stays, else `code`; with "<prefix>: <line>".
Status CurrentFailure(Code code, std::string_view prefix);

}  // namespace sconce::torch_engine
