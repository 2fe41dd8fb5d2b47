// SPDX-License-Identifier: Apache-2.0
// ProgramChange: how far the recording of one process lags behind after it called execve().
//
// The process is not stopped for it. Probes in files that the new program maps too are the kernel's work and are
// there at once; unwind tables, and probes in other files, come as fast as we read. Two messengers tell of each
// exec, in any order: the ring buffer and the watch on mappings. Pure: time is an argument.
#pragma once

#include <cstdint>
#include <optional>

namespace dwell {

class ProgramChange {
 public:
  enum class Messenger { kRing, kWatch };
  // False: the other one has told of this exec already.
  bool executed(Messenger by, std::uint64_t time_ns);
  bool pending() const { return execs_ != 0; }
  // What the process has mapped was read: that brought code with its tables, or probes, that were not there.
  void caught_up(std::uint64_t now_ns, bool code, bool probes);
  // The new program was held until everything was in place.
  void nothing_missed();

  struct Gap {
    std::uint64_t execs = 0;
    std::uint64_t cut_ns = 0;     // stacks could not be followed for so long, added up
    std::uint64_t missed_ns = 0;  // some calls were not seen for so long; 0: every probe was in place
  };
  // What the reader of the recording is told, once nothing new has come for a while, or execs go on and on.
  std::optional<Gap> settled(std::uint64_t now_ns, bool at_the_end = false);

 private:
  void close_one();

  std::uint64_t told_by_ring_ = 0, told_by_watch_ = 0;
  std::uint64_t execs_ = 0;  // since the last gap that was told
  std::uint64_t first_ns_ = 0, began_ns_ = 0, code_ns_ = 0, probes_ns_ = 0;
  std::uint64_t told_ns_ = 0, pause_ns_ = 0;
  Gap sum_;
};

}  // namespace dwell
