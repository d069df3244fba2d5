// A closed set of outcomes that native code can report. src/errors.ts holds the same rows in the same order and maps
// each to its HTTP status, gRPC code and words; test/unit/errors.test.ts compares the two lists.
// Thread: values, usable anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace sconce {

enum class Code : std::uint8_t {
  kOk = 0,
  kBadRequest = 1,            // 400 the request's bytes or tensors are not what the model declares
  kModelNotFound = 2,         // 404
  kVersionNotFound = 3,       // 404
  kNotAcceptable = 4,         // 406 the asked output format cannot hold this result
  kPayloadTooLarge = 5,       // 413
  kUnsupportedMediaType = 6,  // 415
  kModelError = 7,            // 500 the model raised
  kBadOutput = 8,             // 500 the model returned something that cannot be split per sample
  kInternal = 9,              // 500
  kQueueFull = 10,            // 503
  kNotReady = 11,             // 503 no loaded version, or it is being unloaded
  kDraining = 12,             // 503
  kDeadlineExceeded = 13,     // 504
  kCancelled = 14,            // 499 the client went away
  kOutOfMemory = 15,          // 507
  kInvalidModel = 16,         // 400 the artifact does not load
  kConflict = 17,             // 409 name and version are registered already
  kNotImplemented = 18,       // 501 this model cannot be asked that
  kDeviceLost = 19,           // 503 the model's device is out of service
};

inline constexpr int kCodeCount = 20;

// The stable word for a code, as src/errors.ts spells it ("bad_request", "queue_full", …).
const char* CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status Ok() { return {}; }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

// Either a value or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  const Status& status() const {
    static const Status ok;
    return this->ok() ? ok : std::get<Status>(state_);
  }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace sconce
