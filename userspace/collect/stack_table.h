// SPDX-License-Identifier: Apache-2.0
// StackTable: from the stack identities that the BPF programs send to the stacks of the recording.
//
// A stack of the recording is what was walked in the target, with the probed function itself put on top:
// the walk begins at its caller, since it is made at the function's return.
//
// It is bounded: what the recording's own table holds is not held twice, and when that is nearly full, new stacks are
// cut to the probed function alone. So what they allocate is still counted, by the function that was called.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "userspace/recording/ids.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/model.h"
#include "userspace/recording/writer.h"

namespace dwell {

class StackTable {
 public:
  explicit StackTable(RecordingWriter& writer) : writer_(writer) {}

  // The entry of a probed function; records name it by its index.
  void set_probe(std::uint16_t probe, const Location& function);

  // What was walked for this identity, leaf first. The first time counts.
  void learn(std::uint64_t identity, std::vector<std::uint32_t> locations, std::uint8_t end);

  // New stacks keep only so many of their innermost frames: they soon repeat, and take no more memory.
  void keep_frames(std::size_t most) { frames_kept_ = std::min(frames_kept_, most); }

  // kUnknown, and a counted loss, for an identity that was never learned. `time_ns`: of the event, as the same addresses
  // can mean other code at another time.
  StackId find(std::uint64_t identity, std::uint16_t probe, std::uint64_t time_ns = 0);

  // Who knows what an identity means at a moment: that identity, or another one that was learned. Asked only from now on.
  using Meaning = std::function<std::uint64_t(std::uint64_t identity, std::uint64_t time_ns)>;
  void ask(Meaning meaning) { meaning_ = std::move(meaning); }
  bool knows(std::uint64_t identity) const { return walked_.contains(identity); }

  // Leaf first; empty if it was never learned.
  std::span<const std::uint32_t> locations_of(std::uint64_t identity) const;

  std::uint64_t unresolved() const { return unresolved_; }  // events whose stack was never seen
  std::uint64_t refused() const { return refused_; }        // stacks that there was no room for
  std::size_t memory_bytes() const;

 private:
  struct Walked {
    std::vector<std::uint32_t> locations;  // until the recording's table has them
    StackId stack = StackId::kUnknown;     // from then on: there, behind `probe_frames` others
    std::uint8_t probe_frames = 0;
    std::uint8_t end = 0;
  };
  std::span<const std::uint32_t> locations_of(const Walked& walked) const;
  StackId function_alone(std::uint16_t probe);
  StackId add(std::uint64_t identity, std::uint16_t probe);

  RecordingWriter& writer_;
  Meaning meaning_;
  std::vector<std::int64_t> probes_;  // location index of each probe's function, -1: not known
  absl::flat_hash_map<std::uint64_t, Walked> walked_;
  absl::flat_hash_map<std::uint64_t, StackId> known_;  // by identity and probe together
  std::size_t frames_kept_ = kMaxStackDepth;
  std::uint64_t unresolved_ = 0, refused_ = 0, frames_ = 0;  // frames_: in walked_
};

}  // namespace dwell
