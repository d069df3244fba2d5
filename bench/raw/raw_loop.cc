// The best that libtorch itself can do with an artifact: closed loops over samples in memory, nothing around them.
//   sconce_raw_loop MODEL.pt --input FILE --shape 3,224,224 --form plain|frozen|optimised
//                   --batch N --lanes N --threads N (--seconds S | --answers)
// FILE holds float32 samples one after the other. `lanes` threads run at once, each with `threads` intra-op threads and
// batches of its own. Prints one JSON line with samples_per_second, or with --answers one JSON array a sample.
#include <torch/script.h>

#include <ATen/Parallel.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string model;
  std::map<std::string, std::string> named;

  std::string Text(const std::string& name, const std::string& otherwise) const {
    const auto found = named.find(name);
    return found == named.end() ? otherwise : found->second;
  }
  int Int(const std::string& name, int otherwise) const { return std::stoi(Text(name, std::to_string(otherwise))); }
  bool Has(const std::string& name) const { return named.count(name) > 0; }
};

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      options.model = word;
    } else if (word == "--answers") {
      options.named["answers"] = "yes";
    } else if (i + 1 < argc) {
      options.named[word.substr(2)] = argv[++i];
    }
  }
  return options;
}

// All samples of the file as one tensor [count, shape...].
at::Tensor ReadSamples(const Options& options) {
  std::vector<std::int64_t> shape{-1};
  std::stringstream words(options.Text("shape", ""));
  for (std::string word; std::getline(words, word, ',');) shape.push_back(std::stoll(word));
  std::ifstream file(options.Text("input", ""), std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto floats = static_cast<std::int64_t>(bytes.size() / sizeof(float));
  // from_blob takes void*; the clone owns its memory.
  return at::from_blob(const_cast<char*>(bytes.data()), {floats}, at::kFloat).clone().reshape(shape);
}

torch::jit::Module LoadForm(const Options& options) {
  auto module = torch::jit::load(options.model, at::kCPU);
  module.eval();
  const std::string form = options.Text("form", "plain");
  if (form == "plain") return module;
  module = torch::jit::freeze(module);
  return form == "optimised" ? torch::jit::optimize_for_inference(module) : module;
}

at::Tensor Run(torch::jit::Module& module, const at::Tensor& batch) { return module.forward({batch}).toTensor(); }

void PrintAnswers(torch::jit::Module& module, const at::Tensor& samples) {
  for (std::int64_t i = 0; i < samples.size(0); ++i) {
    const auto answer = Run(module, samples.narrow(0, i, 1)).reshape({-1}).contiguous();
    const float* values = answer.const_data_ptr<float>();
    for (std::int64_t k = 0; k < answer.numel(); ++k) {
      std::printf("%c%.9g", k == 0 ? '[' : ',', static_cast<double>(values[k]));
    }
    std::printf("]\n");
  }
}

struct Plan {
  int threads;
  std::int64_t batch;
  std::chrono::duration<double> span;
  std::atomic<int> warming;
};

// One lane: three warm-up runs, then batches for the span, once all lanes are warm. Samples per second up to the end of
// the last batch, so that a long batch costs nothing at the end.
double Lane(torch::jit::Module module, const at::Tensor& samples, std::int64_t offset, Plan& plan) {
  const c10::InferenceMode guard;
  // Else the thread's first operator would take what another thread set.
  static_cast<void>(at::get_num_threads());
  at::set_num_threads(plan.threads);
  const std::int64_t places = samples.size(0) - plan.batch + 1;
  for (int i = 0; i < 3; ++i) Run(module, samples.narrow(0, offset % places, plan.batch));
  --plan.warming;
  while (plan.warming > 0) std::this_thread::yield();
  const auto began = Clock::now();
  std::int64_t batches = 0;
  while (Clock::now() - began < plan.span) {
    Run(module, samples.narrow(0, ++offset % places, plan.batch));
    ++batches;
  }
  return static_cast<double>(batches * plan.batch) / std::chrono::duration<double>(Clock::now() - began).count();
}

double SamplesPerSecond(const torch::jit::Module& module, const at::Tensor& samples, const Options& options) {
  const int count = options.Int("lanes", 1);
  Plan plan{options.Int("threads", 1), options.Int("batch", 1),
            std::chrono::duration<double>(std::stod(options.Text("seconds", "3"))), count};
  std::vector<double> rates(static_cast<std::size_t>(count));
  std::vector<std::thread> lanes;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    lanes.emplace_back([&, i] { rates[i] = Lane(module, samples, static_cast<std::int64_t>(i) * plan.batch, plan); });
  }
  for (auto& lane : lanes) lane.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = Parse(argc, argv);
  at::set_num_interop_threads(1);
  const c10::InferenceMode guard;
  auto module = LoadForm(options);
  const auto samples = ReadSamples(options);
  if (options.Has("answers")) {
    PrintAnswers(module, samples);
  } else {
    std::printf("{\"samples_per_second\":%.3f}\n", SamplesPerSecond(module, samples, options));
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "sconce_raw_loop: %s\n", error.what());
  return 1;
}
