// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/tracing.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/base/clock.h"
#include "userspace/base/memory_limit.h"
#include "userspace/base/time_units.h"
#include "userspace/go/findings/findings.h"
#include "userspace/go/record/snapshot.h"
#include "userspace/record/look_budget.h"

namespace dwell {
namespace {

// The runtime of a program that has just been started is not there yet.
constexpr std::uint64_t kLongestStartNs = 10 * kSecond;
constexpr std::size_t kExamples = 1;  // of each group, looked at closely
constexpr std::uint64_t kShareToCopy = 4;  // a quarter of what dwell may take is for copies of the heap

bool is_there(pid_t pid) { return static_cast<bool>(read_process(pid)); }

}  // namespace

TracerLoader GoTracing::loader(const GoTracingOptions& options) {
  return [options](const TracerContext& context) -> Result<std::unique_ptr<Tracer>> {
    return std::unique_ptr<Tracer>(new GoTracing(context, options));
  };
}

// ---- processes ----

Result<void> GoTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  processes_[slot].pid = facts.pid;
  return {};
}

Result<void> GoTracing::mapped(ProcessSlot slot, const std::vector<Mapping>& mappings, bool) {
  Process& process = processes_[slot];
  process.code.clear();
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file()) continue;
    bool fresh = process.inspected.insert({mapping.device(), mapping.inode}).second;
    if (fresh && !process.runtime) process.may_be_go = true;
    std::int32_t module = context_.modules.find(mapping.device(), mapping.inode);
    if (module < 0) continue;
    process.code.push_back(
        {mapping.start, mapping.end, mapping.file_offset, static_cast<std::uint32_t>(module)});
  }
  process.searched_ns = process.try_again_ns = 0;
  return {};
}

Result<void> GoTracing::recognize(Process& process, std::uint64_t now_ns) {
  if (process.searched_ns == 0) process.searched_ns = now_ns;
  Result<GoRuntime> runtime = GoRuntime::attach(process.pid);
  if (runtime) {
    process.runtime = std::move(*runtime);
    process.may_be_go = false;
    process.began_ns = 0;
    process.look_due_ns = 0;
    if (!process.runtime->note().empty()) context_.note(process.runtime->note());
    return {};
  }
  Result<std::vector<Mapping>> mappings = read_maps(process.pid);
  if (!mappings) return mappings.error();
  Result<GoModule> module = find_go_module(*mappings, ProcessMemory(process.pid));
  bool starts = module && now_ns - process.searched_ns < kLongestStartNs;
  process.may_be_go = starts;
  process.try_again_ns = now_ns + std::max(50 * kMillisecond, (now_ns - process.searched_ns) / 4);
  if (starts) return {};
  // One that can't be read is told of; one that is not Go's is no news, unless it was asked about.
  bool is_news = module || !module.error().hint.empty() || options_.asked_for;
  if (is_there(process.pid) && is_news) context_.note(runtime.error().what);
  return runtime.error();
}

Result<void> GoTracing::require_probes(const ProcessFacts& facts) {
  for (auto& [slot, process] : processes_) {
    if (process.pid == facts.pid && process.may_be_go) {
      Result<void> recognized = recognize(process, monotonic_ns());
      return process.may_be_go ? Result<void>() : recognized;
    }
  }
  return Error{fmt::format("PID {} is no Go program", facts.pid), "", Exit::kUnsupported};
}

void GoTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end()) return;
  if (news.kind != ProcessNews::Kind::kExecuted && news.kind != ProcessNews::Kind::kExited) return;
  Process& process = found->second;
  process.runtime.reset();
  process.inspected.clear();
  process.may_be_go = false;
  profiles_.forget(news.process);
}

// ---- looks ----

Result<void> GoTracing::poll(std::uint64_t now_ns) {
  for (auto& [slot, process] : processes_) {
    if (process.may_be_go && now_ns >= process.try_again_ns) (void)recognize(process, now_ns);
    if (!options_.looks || !process.runtime || now_ns < process.look_due_ns) continue;
    if (!process.began_ns) process.began_ns = now_ns;
    if (Result<void> looked = look(slot, process); !looked) return looked;
    std::uint64_t end_ns = monotonic_ns();
    process.look_due_ns = now_ns + context_.options.look_every_ns.value_or(
                                       look_pause_ns(now_ns - process.began_ns, end_ns - now_ns));
  }
  return {};
}

// Once more when it all ends: what is there then, and, if that was asked for, who can never wake.
Result<void> GoTracing::write_live(std::uint64_t) {
  if (!ending_) return {};
  for (auto& [slot, process] : processes_) {
    if (process.runtime && is_there(process.pid))
      if (Result<void> looked = look(slot, process); !looked) return looked;
  }
  return {};
}

Result<void> GoTracing::look(ProcessSlot slot, Process& process) {
  std::optional<StuckFinding> stuck;
  if (ending_ && options_.prove) {
    StuckOptions how;
    how.what_is_unheld = true;
    how.copy_limit = std::min(how.copy_limit, memory_limit() / kShareToCopy);
    Result<StuckFinding> found = find_stuck(*process.runtime, how);
    if (found) stuck = std::move(*found);
    if (!found) note_once(found.error().what);
  }
  Result<GoroutineReport> report = look_at_goroutines(*process.runtime, std::move(stuck), kExamples);
  if (!report) {
    if (is_there(process.pid)) note_once(report.error().what);
    return {};
  }
  add_heap(*process.runtime, *report);
  add_held(*process.runtime, *report);
  if (ending_) add_findings(*process.runtime, *report, FindingsOf::kRecording);
  for (const std::string& part : report->not_seen) note_once(part);
  // It may have ended or become another program while it was read.
  if (!is_there(process.pid)) return {};
  describe_descriptors(process.pid, *report);
  stacks_.map(process.code);
  return write_go_report(*report, slot, process.runtime->frames(), stacks_, profiles_, context_.writer);
}

// A look is taken again and again, and fails each time for the same reason.
void GoTracing::note_once(const std::string& text) {
  if (noted_.insert(text).second) context_.note(text);
}

void GoTracing::name(std::vector<LocationSymbol>& symbols) const {
  for (const auto& [location, symbol] : stacks_.names()) {
    bool named = std::any_of(symbol.frames.begin(), symbol.frames.end(),
                             [](const SymbolFrame& frame) { return !frame.function.empty(); });
    if (named && location < symbols.size()) symbols[location] = symbol;
  }
}

}  // namespace dwell
