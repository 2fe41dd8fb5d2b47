// SPDX-License-Identifier: Apache-2.0
// StackTable: from the stack identities that the BPF programs send to the stacks of the recording.
//
// A stack of the recording is what was walked in the target, with the probed function itself put on top:
// the walk begins at its caller, since it is made at the function's return.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <span>
#include <vector>

#include "userspace/collect/event.h"
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

  // kUnknown, and a counted loss, for an identity that was never learned.
  StackId find(std::uint64_t identity, std::uint16_t probe);

  // Leaf first; empty if it was never learned.
  std::span<const std::uint32_t> locations_of(std::uint64_t identity) const;

  std::uint64_t unresolved() const { return unresolved_; }  // events whose stack was never seen
  std::uint64_t refused() const { return refused_; }        // stacks that the recording had no room for
  std::size_t memory_bytes() const;

 private:
  struct Walked {
    std::vector<std::uint32_t> locations;
    std::uint8_t end;
  };
  StackId add(std::uint64_t identity, std::uint16_t probe);

  RecordingWriter& writer_;
  std::vector<std::int64_t> probes_;  // location index of each probe's function, -1: not known
  absl::flat_hash_map<std::uint64_t, Walked> walked_;
  absl::flat_hash_map<std::uint64_t, StackId> known_;  // by identity and probe together
  std::uint64_t unresolved_ = 0, refused_ = 0, frames_ = 0;
};

}  // namespace dwell
