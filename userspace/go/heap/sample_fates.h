// SPDX-License-Identifier: Apache-2.0
// Looks after each collection which samples it has left, by the bits of their spans.
#pragma once

#include <cstdint>
#include <optional>

#include "bpf/go_allocs.h"
#include "userspace/go/runtime/runtime.h"
#include "userspace/go/heap/alloc_samples.h"

namespace dwell {

// None where this version's spans were not verified.
std::optional<dwell_go_span_layout> span_layout(const GoLayout& layout);

class SampleFates {
 public:
  // Of a process; spans and runtime are those of the samples with this slot.
  SampleFates(const GoRuntime& runtime, std::uint8_t process) : runtime_(runtime), process_(process) {}

  // Drops those that the last collection, if it is a new one, did not leave.
  void look(AllocSamples& samples);
  std::uint64_t collections() const { return collections_; }
  std::uint64_t missed() const { return missed_; }

 private:
  void judge(AllocSamples& samples, std::uint32_t cycle, std::uint64_t before_ns);

  const GoRuntime& runtime_;
  std::uint8_t process_;
  std::uint32_t cycle_ = 0;
  bool began_ = false, unswept_ = false;
  std::uint64_t collections_ = 0, missed_ = 0;
};

}  // namespace dwell
