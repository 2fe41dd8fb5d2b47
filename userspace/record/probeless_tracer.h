// SPDX-License-Identifier: Apache-2.0
// ProbelessTracer: a tracer that learns from looks and from counters, not from probes in the code of the processes. It has
// nothing to attach when code is mapped, no records of its own unless it says so, and nothing that lives in a ledger.
#pragma once

#include "userspace/record/tracer.h"

namespace dwell {

class ProbelessTracer : public Tracer {
 public:
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  bool is_optional() const override { return true; }
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}
  bool decode(const dwell_header&, ProcessSlot, std::span<const std::byte>) override { return false; }
  bool counts_in_kernel() const override { return false; }
  Result<void> write_tick(std::uint64_t) override { return {}; }
  Result<void> write_live(std::uint64_t) override { return {}; }
  std::uint64_t live_count() const override { return 0; }
  TracerCost cost() override { return {}; }
  std::string_view called() const override { return "looks"; }
  void report_progress(RecordProgress&) const override {}
  void detach() override {}
};

}  // namespace dwell
