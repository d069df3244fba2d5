#include "core/status.h"

#include <array>

namespace sconce {

namespace {

constexpr std::array<const char*, kCodeCount> kNames = {
    "ok",
    "bad_request",
    "model_not_found",
    "version_not_found",
    "not_acceptable",
    "payload_too_large",
    "unsupported_media_type",
    "model_error",
    "bad_output",
    "internal",
    "queue_full",
    "not_ready",
    "draining",
    "deadline_exceeded",
    "cancelled",
    "out_of_memory",
    "invalid_model",
    "conflict",
    "not_implemented",
    "device_lost",
};

}  // namespace

const char* CodeName(Code code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : "internal";
}

}  // namespace sconce
