// Checks native/cuda on a real GPU, through the library and the interface that the engine uses; needs no GoogleTest.
//   sconce_gpu_check LIBRARY FOLDER      LIBRARY: libsconce_cuda.so; FOLDER: what models.py wrote
// One line a check: "passed NAME", "failed NAME: why", "skipped NAME: why". Without a GPU those that need one are
// skipped. Exit 0 when none failed.
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <set>
#include <thread>

#include "torch/torchscript.h"
#include "workload.h"

extern char** environ;

namespace sconce::gpu {
namespace {

using torch_engine::DeviceLibrary;
using torch_engine::TensorDevice;

struct Setting {
  std::string program;
  std::string library_path;
  std::string folder;
  const DeviceLibrary* library = nullptr;
  std::unique_ptr<TensorDevice> device;  // null without a GPU

  const Device& core() const { return device->device(); }
};

void Expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("does not hold: " + what);
}

// A lane's things: a stream that is current, and a mark in it.
struct Lane {
  explicit Lane(const TensorDevice& tensors)
      : device(tensors),
        stream(Must(tensors.device().NewStream(StreamPriority::kNormal))),
        done(Must(tensors.device().NewEvent())),
        guard(*stream) {}

  at::Tensor Down(at::Tensor tensor) {
    Must(device.Download({&tensor, 1}, *stream, *done));
    return tensor;
  }

  const TensorDevice& device;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Event> done;
  StreamGuard guard;
};

// Pinned memory of the device's as a tensor; `staging` must outlive it.
at::Tensor View(const Staging& staging, const at::Tensor& like) {
  return at::from_blob(staging.data(), like.sizes(), like.options());
}

at::Tensor Forward(torch::jit::Module& module, const at::Tensor& input) { return module.forward({input}).toTensor(); }

// ── without a GPU too ──

void Picture(Setting& setting) {
  const torch_engine::DevicePicture picture = setting.library->Picture();
  Expect(picture.library.rfind("CUDA ", 0) == 0, "the library says its CUDA, and says \"" + picture.library + "\"");
  Expect(picture.devices.empty() != picture.problem.empty(), "either devices or a problem");
}

void RefusesDevicesThatAreNone(Setting& setting) {
  for (const int index : {-1, 4096}) {
    const auto opened = setting.library->Open(index);
    Expect(opened.status().code() == Code::kInvalidModel, "device " + std::to_string(index) + " is refused");
    Expect(!opened.status().message().empty(), "with words");
  }
}

void ModelsOnTheCpuAreAsPythons(Setting& setting) {
  for (const Workload& workload : Workloads()) {
    torch::jit::Module module = LoadModule(setting.folder, workload, c10::Device(c10::kCPU), at::kFloat);
    const at::Tensor answers = Forward(module, ReadInput(setting.folder, workload));
    const double deviation = Deviation(answers, ReadExpected(setting.folder, workload));
    Expect(deviation <= 1e-5, std::string(workload.name) + " deviates by " + std::to_string(deviation));
  }
}

// ── on a GPU ──

void CopiesThereAndBack(Setting& setting) {
  Lane lane(*setting.device);
  for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kLong, at::kByte, at::kBool}) {
    const at::Tensor values = at::randint(0, 2, {1021, 33}, at::kFloat).to(type);
    const auto staging = Must(setting.core().NewStaging(values.nbytes()));
    const at::Tensor host = View(*staging, values);
    host.copy_(values);
    const at::Tensor there = setting.device->Upload(host);
    Expect(there.device() == setting.device->where(), "it lies on the device");
    Expect(lane.Down(there).equal(values), std::string("the same bytes come back as ") + c10::toString(type));
  }
}

void StagingIsPinnedAlignedAndReused(Setting& setting) {
  constexpr std::size_t kBytes = 3 * 1024 * 1024 + 5;
  std::set<const std::byte*> places;
  for (int i = 0; i < 50; ++i) {
    const auto staging = Must(setting.core().NewStaging(kBytes));
    Expect(staging->bytes() == kBytes, "it is as large as asked");
    Expect(reinterpret_cast<std::uintptr_t>(staging->data()) % 64 == 0, "it is aligned to 64 bytes");
    Expect(at::from_blob(staging->data(), {1}, at::kByte).is_pinned(), "it is pinned");
    places.insert(staging->data());
  }
  Expect(places.size() == 1, "what is given back is taken again, and " + std::to_string(places.size()) + " were made");
}

void StreamsAreCurrentWhileEntered(Setting& setting) {
  const c10::impl::VirtualGuardImpl guard(c10::kCUDA);
  const c10::Device where = setting.device->where();
  const c10::Stream before = guard.getStream(where);
  {
    Lane one(*setting.device);
    const c10::Stream first = guard.getStream(where);
    Expect(first != before, "a lane's stream is not the default one");
    {
      Lane two(*setting.device);
      Expect(guard.getStream(where) != first, "another lane has another stream");
    }
    Expect(guard.getStream(where) == first, "leaving restores what was current");
  }
  Expect(guard.getStream(where) == before, "and so does the outer one");
}

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Some tens of milliseconds of products in the current stream.
at::Tensor BusyWork(const TensorDevice& device) {
  at::Tensor x = at::rand({4096, 4096}, at::TensorOptions(device.where()));
  for (int i = 0; i < 40; ++i) x = at::matmul(x, x).div_(2048);
  return x;
}

void EventsWaitWithoutSpinning(Setting& setting) {
  Lane lane(*setting.device);
  BusyWork(*setting.device);
  Must(lane.stream->Synchronise());  // libraries are loaded by now
  const at::Tensor busy = BusyWork(*setting.device);
  Must(lane.done->Record(*lane.stream));
  const auto began = std::chrono::steady_clock::now();
  const double cpu = ThreadCpuSeconds();
  Must(lane.done->Wait());
  const double waited = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const double spent = ThreadCpuSeconds() - cpu;
  const c10::impl::VirtualGuardImpl guard(c10::kCUDA);
  Expect(guard.queryStream(guard.getStream(setting.device->where())), "after the wait the stream is done");
  Expect(waited > 1e-3, "there was something to wait for");
  Expect(spent < 0.5 * waited, "waiting took " + std::to_string(spent) + " s of CPU in " + std::to_string(waited));
}

// What a batch was gathered in is written again after Download, also when the model gave nothing to copy.
void DownloadWaitsForTheBatch(Setting& setting) {
  Lane lane(*setting.device);
  const c10::impl::VirtualGuardImpl guard(c10::kCUDA);
  const at::Tensor busy = BusyWork(*setting.device);
  Must(setting.device->Download({}, *lane.stream, *lane.done));
  Expect(guard.queryStream(guard.getStream(setting.device->where())), "with nothing to copy it waits all the same");
}

// Frozen before it was saved: its weights are constants of the code.
void ConstantsAreOnTheDevice(Setting& setting) {
  Lane lane(*setting.device);
  torch::jit::Module module("m");
  module.register_parameter("weight", at::full({3}, 2.0), false);
  module.define("def forward(self, x):\n  return x + self.weight\n");
  module.eval();
  const std::string path = setting.folder + "/frozen.pt";
  torch::jit::freeze(module).save(path);
  const auto loaded = Must(torch_engine::LoadTorchScript(path));
  const auto there = Must(loaded->On(setting.device->where()));
  torch::jit::Stack stack;
  there->Begin(stack);
  stack.emplace_back(setting.device->Upload(at::ones({3})));
  there->Call(stack);
  Expect(lane.Down(stack.back().toTensor()).equal(at::full({3}, 3.0)), "one and two are three");
}

void ModelsAreAsPythons(Setting& setting) {
  for (const Workload& workload : Workloads()) {
    const at::Tensor expected = ReadExpected(setting.folder, workload);
    for (std::size_t i = 0; i < kPrecisions.size(); ++i) {
      Lane lane(*setting.device);
      auto module = LoadModule(setting.folder, workload, setting.device->where(), kPrecisions[i].type);
      const at::Tensor host = Batch(ReadInput(setting.folder, workload), kSamples, kPrecisions[i].type);
      const double deviation = Deviation(lane.Down(Forward(module, setting.device->Upload(host))), expected);
      std::printf("        %s in %s: %.2g of the largest answer\n", workload.name, kPrecisions[i].name, deviation);
      Expect(deviation <= workload.tolerances[i], std::string(workload.name) + " in " + kPrecisions[i].name);
    }
  }
}

void TwoModelsAtOnce(Setting& setting) {
  std::array<std::string, 2> failures;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < failures.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        const c10::InferenceMode inference;
        const Workload& workload = Workloads()[i];
        Lane lane(*setting.device);
        auto module = LoadModule(setting.folder, workload, setting.device->where(), at::kFloat);
        const at::Tensor input = ReadInput(setting.folder, workload);
        const at::Tensor expected = ReadExpected(setting.folder, workload);
        for (int round = 0; round < 30; ++round) {
          const at::Tensor answers = lane.Down(Forward(module, setting.device->Upload(input)));
          Expect(Deviation(answers, expected) <= workload.tolerances[0], "round " + std::to_string(round));
        }
      } catch (const std::exception& error) {
        failures[i] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) Expect(failure.empty(), failure);
}

void OutOfMemoryLeavesTheDeviceUsable(Setting& setting) {
  Lane lane(*setting.device);
  const DeviceMemory memory = Must(setting.core().Memory());
  bool refused = false;
  try {
    at::empty({static_cast<std::int64_t>(memory.total_bytes)},
              at::TensorOptions(setting.device->where()).dtype(at::kByte));
    at::empty({static_cast<std::int64_t>(memory.total_bytes)},
              at::TensorOptions(setting.device->where()).dtype(at::kByte));
  } catch (const c10::OutOfMemoryError&) {
    refused = true;
  }
  Expect(refused, "twice the device's memory is refused as out of memory");
  Must(setting.core().Check());
  const at::Tensor small = at::ones({1024});
  Expect(lane.Down(setting.device->Upload(small).add(1)).equal(small + 1), "it still adds");
}

// No growth of device memory over many batches, lanes or events, and what the cache kept goes back.
void NothingLeaks(Setting& setting) {
  const Workload& workload = Workloads()[0];
  const at::Tensor host = ReadInput(setting.folder, workload);
  setting.core().ReleaseCached();
  const std::size_t before = Must(setting.core().Memory()).free_bytes;
  std::size_t warm = 0;
  {
    // cuBLAS keeps a workspace per stream that it was called in: one stream for the model's runs.
    Lane lane(*setting.device);
    auto module = LoadModule(setting.folder, workload, setting.device->where(), at::kFloat);
    for (int round = 0; round < 240; ++round) {
      { const Lane another(*setting.device); }
      const auto staging = Must(setting.core().NewStaging(host.nbytes()));
      const at::Tensor input = View(*staging, host);
      input.copy_(host);
      lane.Down(Forward(module, setting.device->Upload(input)));
      if (round == 40) warm = Must(setting.core().Memory()).free_bytes;
    }
    const std::size_t after = Must(setting.core().Memory()).free_bytes;
    constexpr std::size_t kSegment = 20U << 20U;  // what the caching allocator takes at least for a large tensor
    Expect(after + kSegment >= warm, "200 batches took " + std::to_string(warm - after) + " bytes");
  }
  setting.core().ReleaseCached();
  constexpr std::size_t kWorkspaces = 256U << 20U;  // of cuBLAS and cuDNN
  const std::size_t left = Must(setting.core().Memory()).free_bytes;
  Expect(left + kWorkspaces >= before, "of an unloaded model " + std::to_string(before - left) + " bytes are left");
}

// In a process of its own, because the context is lost for good.
void APoisonedContextIsRecognised(Setting& setting) {
  std::string mode = "--poison";
  std::array<char*, 5> words = {setting.program.data(), setting.library_path.data(), setting.folder.data(), mode.data(),
                                nullptr};
  pid_t child = 0;
  Expect(posix_spawn(&child, setting.program.c_str(), nullptr, nullptr, words.data(), environ) == 0, "a child starts");
  int status = 0;
  waitpid(child, &status, 0);
  Expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child finds the device lost");
}

// Everything that a lane holds is let go of on the way out: nothing of it may throw now.
bool LosesTheDevice(const Setting& setting) {
  Lane lane(*setting.device);
  const auto staging = Must(setting.core().NewStaging(1 << 20));
  const at::Tensor values = at::ones({1 << 10});
  const at::Tensor answer = lane.Down(setting.device->Upload(values).add(1));
  const at::Tensor input = View(*staging, values);
  const at::Tensor in_flight = setting.device->Upload(input);
  const at::Tensor index = setting.device->Upload(at::full({1}, 1 << 20, at::kLong));
  const at::Tensor bad = at::ones({4}, at::TensorOptions(setting.device->where())).index({index});
  const Status first = lane.stream->Synchronise();
  const Status later = setting.core().Check();
  std::printf("        %s\n", first.message().c_str());
  return first.code() == Code::kDeviceLost && later.code() == Code::kDeviceLost;
}

// The child: an index out of range stops the kernel with an assertion, which is sticky. 0: recognised, and survived.
int Poison(const Setting& setting) {
  const bool recognised = LosesTheDevice(setting);
  std::fflush(stdout);
  _exit(recognised ? 0 : 1);
}

struct Check {
  const char* name;
  bool gpu;
  void (*run)(Setting&);
};

// The last one: how long its child takes to die is the driver's affair.
constexpr std::array kChecks = {
    Check{"the library's picture", false, Picture},
    Check{"refuses devices that are none", false, RefusesDevicesThatAreNone},
    Check{"models on the CPU are as Python's", false, ModelsOnTheCpuAreAsPythons},
    Check{"copies there and back", true, CopiesThereAndBack},
    Check{"staging is pinned, aligned and reused", true, StagingIsPinnedAlignedAndReused},
    Check{"streams are current while entered", true, StreamsAreCurrentWhileEntered},
    Check{"events wait without spinning", true, EventsWaitWithoutSpinning},
    Check{"Download waits for the batch", true, DownloadWaitsForTheBatch},
    Check{"constants are on the device", true, ConstantsAreOnTheDevice},
    Check{"models are as Python's", true, ModelsAreAsPythons},
    Check{"two models at once", true, TwoModelsAtOnce},
    Check{"out of memory leaves the device usable", true, OutOfMemoryLeavesTheDeviceUsable},
    Check{"nothing leaks", true, NothingLeaks},
    Check{"a poisoned context is recognised", true, APoisonedContextIsRecognised},
};

int RunAll(Setting& setting, const std::string& problem) {
  int failed = 0;
  for (const Check& check : kChecks) {
    if (check.gpu && !setting.device) {
      std::printf("skipped %s: %s\n", check.name, problem.c_str());
    } else {
      try {
        const c10::InferenceMode inference;
        check.run(setting);
        std::printf("passed %s\n", check.name);
      } catch (const std::exception& error) {
        const std::string why = error.what();
        std::printf("failed %s: %s\n", check.name, why.substr(0, why.find('\n')).c_str());
        ++failed;
      }
    }
    std::fflush(stdout);
  }
  return failed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  if (argc < 3) throw std::runtime_error("usage: sconce_gpu_check libsconce_cuda.so FOLDER");
  Setting setting{argv[0], argv[1], argv[2], nullptr, nullptr};
  setting.library = Must(torch_engine::LoadDeviceLibrary(setting.library_path));
  const torch_engine::DevicePicture picture = setting.library->Picture();
  if (picture.problem.empty()) setting.device = Must(setting.library->Open(0));
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  const bool poison = argc > 3 && std::strcmp(argv[3], "--poison") == 0;
  return poison ? Poison(setting) : RunAll(setting, picture.problem);
}

}  // namespace
}  // namespace sconce::gpu

int main(int argc, char** argv) try { return sconce::gpu::Main(argc, argv); } catch (const std::exception& error) {
  std::printf("failed to start: %s\n", error.what());
  return 1;
}
