// What a GPU gives through native/cuda, beside libtorch with nothing around it.
//   sconce_gpu_bench LIBRARY FOLDER [SECONDS]      SECONDS: of one figure, 1 unless said
// Prints one JSON line a figure. Of each model, precision and batch, in samples per second:
//   compute   the raw loop over inputs that lie on the device: no copies
//   copies    the raw loop with a pinned copy in, a copy out, and a wait for each batch
//   lanes_1   one lane as the engine has it: pinned staging, a stream of its own, an event to wait for
//   lanes_2   two of them: the next batch is copied while this one runs
// and pinned copies of 64 MiB in GB/s, raw and through the interface. Every answer's shape and finiteness is checked.
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>

#include "workload.h"

namespace sconce::gpu {
namespace {

using Clock = std::chrono::steady_clock;
using torch_engine::TensorDevice;

constexpr std::array<std::int64_t, 4> kBatches = {1, 8, 32, 128};
constexpr int kWarmUps = 5;  // the graph executor specialises in the first two, cuDNN chooses in the first

double Since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

struct Job {
  const TensorDevice& device;
  torch::jit::Module& module;
  at::Tensor host;  // one batch, pinned
  double seconds;

  std::int64_t batch() const { return host.size(0); }
  at::Tensor Run(const at::Tensor& input) const {
    const at::Tensor answers = module.forward({input}).toTensor();
    if (answers.size(0) != batch()) throw std::runtime_error("the answers are not as many as the samples");
    return answers;
  }
};

// A lane's stream is current in this scope.
struct Lane {
  explicit Lane(const TensorDevice& device)
      : stream(Must(device.device().NewStream(StreamPriority::kNormal))),
        done(Must(device.device().NewEvent())),
        guard(*stream) {}
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Event> done;
  StreamGuard guard;
};

// Batches per second of `step`, which has been called kWarmUps times; `settle` waits for what is queued.
double Rate(double seconds, const std::function<void()>& step, const std::function<void()>& settle) {
  for (int i = 0; i < kWarmUps; ++i) step();
  settle();
  const auto began = Clock::now();
  std::int64_t count = 0;
  do {
    for (int i = 0; i < 4; ++i, ++count) step();
    if (count % 64 == 0) settle();  // or the queue of kernels grows ahead of the clock
  } while (Since(began) < seconds);
  settle();
  return static_cast<double>(count) / Since(began);
}

double Compute(const Job& job) {
  Lane lane(job.device);
  const at::Tensor input = job.device.Upload(job.host);
  return Rate(
      job.seconds, [&] { job.Run(input); }, [&] { Must(lane.stream->Synchronise()); });
}

double Copies(const Job& job) {
  Lane lane(job.device);
  const at::Tensor input = at::empty_like(job.host, job.host.options().device(job.device.where()).pinned_memory(false));
  return Rate(
      job.seconds,
      [&] {
        input.copy_(job.host, /*non_blocking=*/true);
        job.Run(input).to(at::kCPU);
      },
      [] {});
}

// What an executor thread does, without requests: the staging memory holds a batch already.
void Serve(const Job& job, std::atomic<int>& warming, const std::atomic<bool>& over,
           std::atomic<std::int64_t>& batches) {
  const c10::InferenceMode inference;
  Lane lane(job.device);
  const auto staging = Must(job.device.device().NewStaging(job.host.nbytes()));
  const at::Tensor input = at::from_blob(staging->data(), job.host.sizes(), job.host.options().pinned_memory(false));
  input.copy_(job.host);
  const auto one = [&] {
    at::Tensor answers = job.Run(job.device.Upload(input));
    Must(job.device.Download({&answers, 1}, *lane.stream, *lane.done));
  };
  for (int i = 0; i < kWarmUps; ++i) one();
  --warming;
  while (warming > 0) std::this_thread::yield();
  while (!over) {
    one();
    if (!over) ++batches;
  }
}

double Lanes(const Job& job, int count) {
  std::atomic<int> warming{count + 1};
  std::atomic<bool> over{false};
  std::atomic<std::int64_t> batches{0};
  std::vector<std::thread> lanes;
  std::string failure;
  std::mutex mutex;
  for (int i = 0; i < count; ++i) {
    lanes.emplace_back([&] {
      try {
        Serve(job, warming, over, batches);
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex);
        failure = error.what();
        over = true;
        --warming;
      }
    });
  }
  --warming;
  while (warming > 0 && !over) std::this_thread::yield();
  const auto began = Clock::now();
  while (Since(began) < job.seconds && !over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  over = true;
  const double took = Since(began);
  const auto done = static_cast<double>(batches.load());
  for (std::thread& lane : lanes) lane.join();
  if (!failure.empty()) throw std::runtime_error(failure);
  return done / took;
}

void Print(const Workload& workload, const Precision& precision, const Job& job) {
  const auto samples = static_cast<double>(job.batch());
  const double compute = Compute(job) * samples;
  const double copies = Copies(job) * samples;
  const double one = Lanes(job, 1) * samples;
  const double two = Lanes(job, 2) * samples;
  std::printf(
      "{\"model\":\"%s\",\"precision\":\"%s\",\"batch\":%lld,\"compute\":%.1f,\"copies\":%.1f,\"lanes_1\":%.1f,"
      "\"lanes_2\":%.1f,\"of_copies\":%.3f,\"of_compute\":%.3f}\n",
      workload.name, precision.name, static_cast<long long>(job.batch()), compute, copies, one, two,
      std::max(one, two) / copies, std::max(one, two) / compute);
  std::fflush(stdout);
}

void Models(const TensorDevice& device, const std::string& folder, double seconds) {
  for (const Workload& workload : Workloads()) {
    const at::Tensor samples = ReadInput(folder, workload);
    const at::Tensor expected = ReadExpected(folder, workload);
    for (const Precision& precision : kPrecisions) {
      torch::jit::Module module = LoadModule(folder, workload, device.where(), precision.type);
      const at::Tensor four = device.Upload(Batch(samples, kSamples, precision.type));
      const double deviation = Deviation(module.forward({four}).toTensor(), expected);
      if (deviation > 0.2)
        throw std::runtime_error(std::string(workload.name) + " answers wrongly");  // check.cc is strict
      for (const std::int64_t batch : kBatches) {
        Print(workload, precision, {device, module, Batch(samples, batch, precision.type).pin_memory(), seconds});
      }
    }
  }
}

// GB/s of `copy`, which moves `bytes`.
double Bandwidth(double seconds, std::size_t bytes, const std::function<void()>& copy, Stream& stream) {
  return 1e-9 * static_cast<double>(bytes) * Rate(seconds, copy, [&] { Must(stream.Synchronise()); });
}

void Link(const TensorDevice& device, double seconds) {
  constexpr std::int64_t kBytes = 64 << 20;
  Lane lane(device);
  const auto staging = Must(device.device().NewStaging(kBytes));
  const at::Tensor host = at::from_blob(staging->data(), {kBytes}, at::kByte).fill_(1);
  const at::Tensor there = device.Upload(host);
  const auto rate = [&](const std::function<void()>& copy) { return Bandwidth(seconds, kBytes, copy, *lane.stream); };
  const double in = rate([&] { there.copy_(host, true); });
  const double out = rate([&] { host.copy_(there, true); });
  const double upload = rate([&] { device.Upload(host); });
  const double download = rate([&] {
    at::Tensor one = there;
    Must(device.Download({&one, 1}, *lane.stream, *lane.done));
  });
  std::printf("{\"copy_bytes\":%lld,\"in\":%.2f,\"out\":%.2f,\"upload\":%.2f,\"download\":%.2f}\n",
              static_cast<long long>(kBytes), in, out, upload, download);
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  if (argc < 3) throw std::runtime_error("usage: sconce_gpu_bench libsconce_cuda.so FOLDER [SECONDS]");
  const auto* const library = Must(torch_engine::LoadDeviceLibrary(argv[1]));
  const torch_engine::DevicePicture picture = library->Picture();
  if (!picture.problem.empty()) {
    std::printf("{\"skipped\":\"%s\"}\n", picture.problem.c_str());
    return 0;
  }
  const double seconds = argc > 3 ? std::stod(argv[3]) : 1;
  const std::unique_ptr<TensorDevice> device = Must(library->Open(0));
  const c10::InferenceMode inference;
  std::printf("{\"gpu\":\"%s\",\"architecture\":\"%s\",\"cuda\":\"%s\",\"driver_cuda\":\"%s\"}\n",
              picture.devices[0].name.c_str(), picture.devices[0].architecture.c_str(), picture.library.c_str(),
              picture.driver.c_str());
  Link(*device, seconds);
  Models(*device, argv[2], seconds);
  return 0;
}

}  // namespace
}  // namespace sconce::gpu

int main(int argc, char** argv) try { return sconce::gpu::Main(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "sconce_gpu_bench: %s\n", error.what());
  return 1;
}
