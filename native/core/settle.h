// How long a lane that has just answered waits for its share of what is in flight. Clients that keep a number of
// requests in flight send the next ones right after their answers; a lane that takes the first of these alone leaves
// the others to wait for a whole batch, and runs many small batches where few would do.
//
// The wait begins when the lane's batch ends, is a small part of that batch's time, and ends as soon as the share is
// there. A lane whose waits were in vain asks for fewer of them: what arrives at random is served as it comes.
// Thread: the owner's, under its lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sconce {

class Settling {
 public:
  // A wait is this part of the last batch's time, within the two bounds: a shorter one is over before a client can
  // answer, so that fast models never wait.
  static constexpr std::int64_t kPartOfRun = 16;
  static constexpr std::int64_t kShortestNs = 100'000;
  static constexpr std::int64_t kLongestNs = 5'000'000;
  // After a wait in vain 2, 4, 8 and so on to this many batches end without one.
  static constexpr std::uint32_t kMostSkipped = 16;

  void AddLane() { lanes_.emplace_back(); }

  void OnArrival(std::uint32_t rows);
  void OnTake(std::size_t lane, std::uint32_t rows);
  void OnEnd(std::size_t lane, std::int64_t run_ns, std::int64_t now_ns);

  // Until when the lane may wait for more; 0: it takes what there is.
  std::int64_t Until(std::size_t lane, std::int64_t now_ns) const;
  // The lane waits for `share` rows (see ChooseBatch): what it takes next tells whether that was of use.
  void OnWait(std::size_t lane, std::uint32_t share) { lanes_[lane].waited_for = share; }

  // Rows that run, or were answered a moment ago and may come again.
  std::uint32_t Outstanding(std::int64_t now_ns) const { return running_ + Away(now_ns); }
  std::uint32_t Away(std::int64_t now_ns) const { return now_ns < away_until_ns_ ? away_ : 0; }

 private:
  struct Lane {
    std::uint32_t rows = 0;  // of the batch that runs
    std::int64_t until_ns = 0;
    std::uint32_t waited_for = 0;  // 0: it has not waited
    std::uint32_t vain = 0;        // waits in vain since the last one of use
    std::uint32_t skip = 0;        // batches to end without a wait
  };

  void Judge(Lane& lane, std::uint32_t rows);

  std::vector<Lane> lanes_;
  std::uint32_t running_ = 0;
  std::uint32_t away_ = 0;
  std::int64_t away_until_ns_ = 0;
};

}  // namespace sconce
