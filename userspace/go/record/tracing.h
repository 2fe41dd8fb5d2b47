// SPDX-License-Identifier: Apache-2.0
// GoTracing: Go programs in a recording. Looks at their goroutines, heap profile and collector now and then,
// by reading memory alone: no probe is set. In a program that is not Go's it does nothing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "userspace/go/record/recorded_look.h"
#include "userspace/record/tracer.h"

namespace dwell {

struct GoTracingOptions {
  bool looks = true;       // from time to time
  bool prove = false;      // which goroutines can never wake, at the end
  bool asked_for = false;  // a program that is not Go's is worth a word
};

class GoTracing : public Tracer {
 public:
  static TracerLoader loader(const GoTracingOptions& options);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  Result<void> mapped(ProcessSlot process, const std::vector<Mapping>& mappings, bool late) override;
  Result<void> require_probes(const ProcessFacts& facts) override;
  bool is_optional() const override { return true; }
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}  // Go programs fork to call exec
  bool counts_in_kernel() const override { return false; }
  bool decode(const dwell_header&, ProcessSlot, std::span<const std::byte>) override { return false; }
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t) override { return {}; }
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return 0; }
  TracerCost cost() override { return {}; }
  std::string_view called() const override { return "looks at goroutines"; }
  void report_progress(RecordProgress&) const override {}
  void name(std::vector<LocationSymbol>& symbols) const override;
  std::uint64_t refused_stacks() const override { return stacks_.refused(); }
  void detach() override { ending_ = true; }

 private:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
  struct Process {
    pid_t pid = 0;
    std::set<FileKey> inspected;
    std::vector<CodeRange> code;
    std::optional<GoRuntime> runtime;
    bool may_be_go = false;  // worth another try
    std::uint64_t searched_ns = 0, try_again_ns = 0;
    std::uint64_t began_ns = 0, look_due_ns = 0;  // the first look, and the next
  };

  GoTracing(const TracerContext& context, const GoTracingOptions& options)
      : context_(context), options_(options), stacks_(context.writer) {}
  // Whether the program has a Go runtime, maybe one that has not begun yet.
  Result<void> recognize(Process& process, std::uint64_t now_ns);
  Result<void> look(ProcessSlot slot, Process& process);
  void note_once(const std::string& text);

  TracerContext context_;
  GoTracingOptions options_;
  GoStacks stacks_;
  RecordedProfiles profiles_;
  std::map<ProcessSlot, Process> processes_;
  std::set<std::string> noted_;
  bool ending_ = false;
};

}  // namespace dwell
