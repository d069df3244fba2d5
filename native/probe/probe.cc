// sconce-probe FILE…: loads each artifact under resource limits and prints one line of JSON per file:
//   {"file":"m.pt","valid":true,"kind":"torchscript","seconds":0.123}
//   {"file":"x.pt","valid":false,"reason":"…"}
// Whoever starts it reads a missing line (a crash, a limit that was hit, a time-out of his own) as invalid.
// Options before the files: --memory-mb N (address space, default 16384), --cpu-seconds N (default 60), --describe (a
// TorchScript file's line has "methods":[{"name","arguments":[{"name","type","default"}],"returns"}] too).
// Single-threaded; dies with its parent.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "torch/methods.h"
#include "torch/probe_artifact.h"

namespace {

using sconce::Status;
using sconce::torch_engine::Method;
using sconce::torch_engine::MethodArgument;

struct Options {
  rlim_t memory_mb = 16'384;
  rlim_t cpu_seconds = 60;
  bool describe = false;
  std::vector<std::string> files;
};

bool TakeNumber(int argc, char** argv, int& i, std::string_view name, rlim_t& value) {
  if (name != argv[i] || i + 1 >= argc) return false;
  value = std::strtoull(argv[++i], nullptr, 10);
  return true;
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (TakeNumber(argc, argv, i, "--memory-mb", options.memory_mb)) continue;
    if (TakeNumber(argc, argv, i, "--cpu-seconds", options.cpu_seconds)) continue;
    if (std::string_view(argv[i]) == "--describe") {
      options.describe = true;
      continue;
    }
    options.files.emplace_back(argv[i]);
  }
  return options;
}

void Limit(int resource, rlim_t value) {
  const rlimit limit{value, value};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

void ApplyLimits(const Options& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_FSIZE, rlim_t{1} << 32);  // packages are unpacked to a temporary folder
  Limit(RLIMIT_CPU, options.cpu_seconds);
  Limit(RLIMIT_AS, options.memory_mb << 20);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string ArgumentJson(const MethodArgument& argument) {
  return "{\"name\":" + Quoted(argument.name) + ",\"type\":" + Quoted(argument.type) +
         ",\"default\":" + (argument.has_default ? "true" : "false") + "}";
}

std::string MethodJson(const Method& method) {
  std::string list;
  for (const MethodArgument& each : method.arguments) list += (list.empty() ? "" : ",") + ArgumentJson(each);
  return "{\"name\":" + Quoted(method.name) + ",\"arguments\":[" + list + "],\"returns\":" + Quoted(method.returns) +
         "}";
}

// ,"methods":[…], or nothing for a file that does not say.
std::string MethodsJson(const std::string& file) {
  auto methods = sconce::torch_engine::ReadMethods(file);
  if (!methods.ok()) return "";
  std::string list;
  for (const Method& each : *methods) list += (list.empty() ? "" : ",") + MethodJson(each);
  return ",\"methods\":[" + list + "]";
}

void Report(const std::string& file, bool describe) {
  const bool package = file.ends_with(".pt2");
  const std::int64_t start = sconce::MonotonicNs();
  const Status status = sconce::torch_engine::ProbeArtifact(file, package);
  const double seconds = static_cast<double>(sconce::MonotonicNs() - start) * 1e-9;
  if (status.ok()) {
    const std::string methods = describe && !package ? MethodsJson(file) : "";
    std::printf("{\"file\":%s,\"valid\":true,\"kind\":\"%s\",\"seconds\":%.3f%s}\n", Quoted(file).c_str(),
                package ? "aotinductor" : "torchscript", seconds, methods.c_str());
  } else {
    std::printf("{\"file\":%s,\"valid\":false,\"reason\":%s}\n", Quoted(file).c_str(),
                Quoted(status.message()).c_str());
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  if (options.files.empty()) {
    std::fprintf(stderr, "usage: sconce-probe [--memory-mb N] [--cpu-seconds N] [--describe] FILE...\n");
    return 2;
  }
  ApplyLimits(options);
  for (const std::string& file : options.files) Report(file, options.describe);
  return 0;
}
