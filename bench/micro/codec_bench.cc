// Nanoseconds per float32 for JSON text, read and written, through the codec's public functions.
//   sconce_codec_bench FILE [ROUNDS]
// FILE holds the values as little-endian float32. Prints one line of JSON:
// {"count","textBytes","parse":[…],"write":[…]} with one figure per round, and nothing when a value does not survive
// the round trip.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "codec/codec.h"

namespace {

using sconce::Buffer;
using sconce::OutputFormat;
using sconce::OutputNode;
using sconce::Task;
using sconce::TensorView;

constexpr std::size_t kFloatsPerRound = 3'000'000;

template <typename Work>
double NsPerFloat(std::size_t count, Work work) {
  const std::size_t times = std::max<std::size_t>(1, kFloatsPerRound / count);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < times; ++i) work();
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
  return taken.count() / static_cast<double>(times * count);
}

void PrintList(const char* name, const std::vector<double>& values) {
  std::printf(",\"%s\":[", name);
  for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.3f", i == 0 ? "" : ",", values[i]);
  std::printf("]");
}

void Must(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "sconce_codec_bench: %s\n", what);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  Must(argc >= 2, "usage: sconce_codec_bench FILE [ROUNDS]");
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const std::size_t count = bytes.size() / sizeof(float);
  Must(count > 0, "the file holds no float32");
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;

  const sconce::Shape shape({static_cast<std::int64_t>(count)});
  const TensorView view{sconce::DType::kFloat32, shape, reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(),
                        true};
  const std::vector<std::vector<TensorView>> rows = {{view}};
  const OutputNode layout;
  const sconce::Signature signature{true, {{"x", sconce::DType::kFloat32, shape, false}}, {}};
  const sconce::codec::Limits limits;

  // The text to read is made first and kept: the timed writes go to a buffer of their own.
  Buffer text;
  Buffer written;
  Task task;
  const auto write = [&] {
    Must(sconce::codec::Encode(OutputFormat::kJson, layout, rows, false, written).ok(), "not written");
  };
  const auto parse = [&] {
    Must(sconce::codec::Decode(sconce::codec::InputFormat::kJson, text.bytes(), signature, limits, task).ok(),
         "not read");
  };
  Must(sconce::codec::Encode(OutputFormat::kJson, layout, rows, false, text).ok(), "not written");
  parse();
  const TensorView& read = task.rows[0].inputs[0];
  Must(read.bytes == bytes.size() && std::memcmp(read.data, bytes.data(), bytes.size()) == 0, "a value changed");

  std::vector<double> parse_ns;
  std::vector<double> write_ns;
  NsPerFloat(count, parse);
  NsPerFloat(count, write);
  for (int i = 0; i < rounds; ++i) {
    parse_ns.push_back(NsPerFloat(count, parse));
    write_ns.push_back(NsPerFloat(count, write));
  }
  std::printf("{\"count\":%zu,\"textBytes\":%zu", count, text.size());
  PrintList("parse", parse_ns);
  PrintList("write", write_ns);
  std::printf("}\n");
  return 0;
}
