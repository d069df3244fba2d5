#include "torch/failure.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <new>

#include "core/cuda_error.h"

namespace sconce::torch_engine {
namespace {

// "RuntimeError: …", "builtins.ValueError: …", "torch.jit.Error: …": how the interpreter starts the line that counts.
bool IsErrorLine(std::string_view line) {
  const auto colon = line.find(": ");
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view head = line.substr(0, colon);
  const bool word =
      std::all_of(head.begin(), head.end(), [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_'; });
  return word && (head.ends_with("Error") || head.ends_with("Exception") || head.find('.') != std::string_view::npos);
}

std::string_view LineAt(std::string_view text, std::size_t begin) {
  return text.substr(begin, text.find('\n', begin) - begin);
}

// The interpreter prints a stack first and the error last; everything else puts the error first.
std::string_view PickLine(std::string_view what) {
  std::string_view picked;
  if (what.find("TorchScript") != std::string_view::npos) {
    for (std::size_t at = 0; at != std::string_view::npos && at < what.size();) {
      const std::string_view line = LineAt(what, at);
      if (IsErrorLine(line)) picked = line;
      const auto next = what.find('\n', at);
      at = next == std::string_view::npos ? next : next + 1;
    }
  }
  if (picked.empty()) {
    while (!what.empty() && what.front() == '\n') what.remove_prefix(1);
    picked = LineAt(what, 0);
  }
  for (const std::string_view head : {"RuntimeError: ", "torch.jit.Error: "}) {
    if (picked.starts_with(head)) picked.remove_prefix(head.size());
  }
  return picked;
}

bool LooksLikePath(std::string_view word) {
  return std::count(word.begin(), word.end(), '/') >= 2 || word.find(".cpp:") != std::string_view::npos;
}

// Words that look like file names are left out; control bytes become spaces.
std::string WithoutPaths(std::string_view line) {
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    const std::string_view word = line.substr(at, end - at);
    if (!out.empty()) out += ' ';
    out += LooksLikePath(word) ? std::string("(…)") : std::string(word);
    at = end + 1;
  }
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return out;
}

// Cuts between characters, not inside one.
void CutUtf8(std::string& text, std::size_t limit) {
  if (text.size() <= limit) return;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  text.resize(limit);
}

constexpr std::array<std::string_view, 5> kOutOfMemoryWords = {"DefaultCPUAllocator", "out of memory", "std::bad_alloc",
                                                               "ALLOC_FAILED", "ALLOCATION_FAILED"};

// By libtorch's words, because the interpreter throws on nothing else. cuBLAS, cuDNN and cuFFT say it by a name that
// ends in ALLOC_FAILED or ALLOCATION_FAILED.
bool SaysOutOfMemory(std::string_view what) {
  return std::ranges::any_of(kOutOfMemoryWords,
                             [&](std::string_view words) { return what.find(words) != std::string_view::npos; });
}

Status Describe(Code code, std::string_view prefix, std::string_view what) {
  const Code real = SaysOutOfMemory(what) ? Code::kOutOfMemory : code;
  std::string text(prefix);
  text += ": ";
  text += FailureLine(what);
  CutUtf8(text, kMaxFailureBytes);
  return {real, std::move(text)};
}

}  // namespace

std::string FailureLine(std::string_view what) {
  std::string line = WithoutPaths(PickLine(what));
  CutUtf8(line, kMaxFailureBytes);
  return line.empty() ? "no reason given" : line;
}

Status CurrentFailure(Code code, std::string_view prefix) {
  try {
    throw;
  } catch (const StatusError& error) {
    return error.status();
  } catch (const c10::OutOfMemoryError& error) {
    return {Code::kOutOfMemory, std::string(prefix) + ": " + FailureLine(error.what_without_backtrace())};
  } catch (const c10::AcceleratorError& error) {  // of a device, with CUDA's number
    const Code says = CodeOfCudaError(error.get_error_code());
    return Describe(says == Code::kDeviceLost ? says : code, prefix, error.what_without_backtrace());
  } catch (const c10::Error& error) {
    return Describe(code, prefix, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return {Code::kOutOfMemory, std::string(prefix) + ": not enough memory"};
  } catch (const std::exception& error) {
    return Describe(code, prefix, error.what());
  } catch (...) {
    return {code, std::string(prefix) + ": an unknown exception"};
  }
}

}  // namespace sconce::torch_engine
