// Whether a request that finds every lane idle is run faster with all cores or with one, as measured: waking the
// threads of a pool for every operation of a model costs more than they give where its operations are short.
//
// The better way is used; now and then the other one is tried for a few requests, and takes over where it is faster.
// Thread: the owner's, under its lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sconce {

class LoneJudge {
 public:
  // Runs that one way is judged by, and lone requests between two trials of the other.
  static constexpr std::size_t kRuns = 9;
  static constexpr std::size_t kBetween = 256;

  // How the next one is to be run: with all cores, or with one.
  bool wide() const { return wide_is_better_ != trying_; }
  void OnRun(bool wide, std::int64_t run_ns);

 private:
  struct Way {
    std::array<std::int64_t, kRuns> run_ns{};  // the last ones
    std::size_t count = 0;
    std::int64_t Median() const;
  };

  void Decide();

  Way narrow_;
  Way wide_;
  bool wide_is_better_ = true;  // until something else was seen
  bool trying_ = false;         // the way that seemed worse
  std::size_t since_ = 0;       // runs of the present kind
  std::size_t until_ = kRuns;   // the first trial comes soon
};

}  // namespace sconce
