// SPDX-License-Identifier: Apache-2.0
// What is wrong with the threads of one look, if anything: judged from what was seen, with its evidence.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

struct ThreadLook;
struct ThreadReport;

enum class VerdictKind : std::uint8_t {
  kDeadlock,   // threads wait for one another in a circle
  kOwnerGone,  // the holder of a lock is no more
  kStalled,    // every thread waits for another one, and none is left that could wake one
  kConvoy,     // threads behind one holder that takes its time
  kLost,       // waits long for a lock that names no owner
  kSpinning,   // runs and gets nowhere: what it reads does not change
  kIdlePool,   // workers that wait for work: no trouble
  kIdle,       // the same, each alone at its place
};

enum class Certainty : std::uint8_t { kCertain, kLikely, kPossible };

struct Verdict {
  VerdictKind kind;
  Certainty certainty = Certainty::kCertain;
  std::string headline = {};
  std::vector<std::string> evidence = {}; // sentences
  std::vector<std::size_t> threads = {}; // indices in the report; of a deadlock in the order of waiting
  std::vector<std::int32_t> locks = {}; // indices in the report
  std::vector<std::uint32_t> processes = {}; // of a circle through other processes

  // Proved: nothing but the end of the process gets these threads going again.
  bool stuck_for_good() const { return kind <= VerdictKind::kStalled && certainty == Certainty::kCertain; }
  bool is_trouble() const { return kind < VerdictKind::kIdlePool; }
};

struct VerdictOptions {
  std::uint64_t stuck_after_ns = 60'000'000'000;  // a wait without a time limit is odd from then on
};

std::string_view name_of(VerdictKind kind);  // "deadlock", "owner gone", ...
std::string_view name_of(Certainty certainty);

// The worst first. Of the report's threads, locks and groups.
std::vector<Verdict> find_verdicts(const ThreadReport& report, const VerdictOptions& options);
// The same of a look alone, without the words for its stacks.
std::vector<Verdict> find_verdicts(const ThreadLook& look, const VerdictOptions& options);

}  // namespace dwell
