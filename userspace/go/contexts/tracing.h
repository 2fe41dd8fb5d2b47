// SPDX-License-Identifier: Apache-2.0
// ContextTracing: in a recording, which call sites of a Go program make contexts, and which of those are
// never cancelled, told anew at each checkpoint.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/contexts/contexts.h"
#include "userspace/go/record/probes.h"
#include "userspace/go/record/late_runtime.h"
#include "userspace/go/contexts/tracer.h"
#include "userspace/record/tracer.h"
#include "userspace/go/contexts/made.h"

namespace dwell {

class ContextTracing : public Tracer {
 public:
  static Result<std::unique_ptr<Tracer>> load(const TracerContext& context);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}  // Go programs fork to call exec
  bool decode(const dwell_header&, ProcessSlot, std::span<const std::byte>) override { return false; }
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t) override { return {}; }
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return 0; }
  TracerCost cost() override;
  std::string_view called() const override { return "contexts"; }
  void report_progress(RecordProgress&) const override {}
  void detach() override;

 private:
  struct Process {
    pid_t pid = 0;
    bool ended = false;
    LateRuntime runtime;  // once it has begun
    std::optional<ContextTypes> types;
    std::unique_ptr<ProbeLinks> links;
  };

  ContextTracing(const TracerContext& context, ContextTracer tracer);
  Result<void> find_runtime(ProcessSlot slot, Process& process, std::uint64_t now_ns);
  Result<void> attach(Process& process);
  void note(const std::string& text);
  GoContexts contexts(std::uint64_t now_ns) const;
  std::string parents_of(const Process& process, const dwell_go_context_site& site) const;

  TracerContext context_;
  AttachMethod method_;
  ContextTracer tracer_;
  std::map<ProcessSlot, Process> processes_;
  std::vector<double> prices_;  // by probe index
  std::vector<std::string> notes_;
};

}  // namespace dwell
