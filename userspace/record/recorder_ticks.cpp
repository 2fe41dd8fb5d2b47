// SPDX-License-Identifier: Apache-2.0
// What the recorder writes: a tick each second or so, what it costs and lost, and all that is there at the end.
#include "userspace/base/time_units.h"
#include "userspace/record/recorder.h"

#include <fmt/core.h>
#include <malloc.h>

#include <algorithm>
#include <new>

#include "userspace/base/clock.h"
#include "userspace/base/memory_limit.h"
#include "userspace/base/output_file.h"
#include "userspace/base/text.h"
#include "userspace/record/recorder_process.h"
#include "userspace/record/symbols.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

// Shares of the memory limit. Above the first, new stacks are cut; above the second, the recording is ended, so that
// enough is left to write what is still there, and to name it.
constexpr double kShareToCut = 0.4, kShareToEnd = 0.6;
constexpr std::size_t kFramesWhenShort = 8;
constexpr std::size_t kMostNotes = 1000;  // a target may give cause for more
constexpr std::size_t kCaughtUp = 4096;  // fewer records than that at once: nothing has piled up
// The kernel counts the run time of BPF programs for a moment now and then: it makes each run dearer.
constexpr std::uint64_t kRunTimeWindowNs = 200 * kMillisecond;
constexpr std::uint64_t kRunTimeSliceNs = 20 * kMillisecond;
constexpr std::uint64_t kRunTimeEveryNs = 10 * kSecond;
constexpr std::uint64_t kLongestFirstRunTimeNs = 2 * kSecond;  // where nothing of ours ran before
constexpr std::uint64_t kMemoryEveryNs = 200 * kMillisecond;

}  // namespace

// ---- ticks ----

Result<void> Recorder::tick(std::uint64_t now_ns) {
  std::uint64_t tick_bytes = 0;
  for (auto& tracer : tracers_) {
    if (Result<void> written = tracer->write_tick(now_ns); !written) return written;
    tick_bytes += tracer->tick_bytes();
  }
  if (Result<void> written = write_losses(now_ns); !written) return written;
  if (Result<void> written = write_children(now_ns); !written) return written;
  if (Result<void> written = write_cost(now_ns); !written) return written;
  for (const Note& one : std::exchange(notes_, {}))
    if (Result<void> written = writer_.write_note(one); !written) return written;
  for (const Unseen& one : std::exchange(unseen_, {}))
    if (Result<void> written = writer_.write_unseen(one); !written) return written;
  schedule_.ticked(now_ns, tick_bytes);
  std::uint64_t live = 0;
  for (const auto& tracer : tracers_) live += tracer->live_count();
  if (!schedule_.checkpoint_due(now_ns, live, writer_.bytes_written())) return {};
  schedule_.checkpointed(now_ns);
  return write_live(now_ns);
}

// A tick ends where a mark is, so that figures can begin there.
Result<void> Recorder::mark(std::uint64_t now_ns) {
  if (Result<void> ticked = tick(now_ns); !ticked) return ticked;
  return writer_.write_mark({now_ns});
}

Result<void> Recorder::write_live(std::uint64_t now_ns) {
  for (auto& tracer : tracers_)
    if (Result<void> written = tracer->write_live(now_ns); !written) return written;
  (void)measure_cost();
  std::vector<CostPart> parts;
  for (const auto& part : parts_)
    if (part->cost_ns) parts.push_back({part->name, part->cost_ns});
  return parts.empty() ? Result<void>() : writer_.write_cost_parts(parts);
}

Result<void> Recorder::write_losses(std::uint64_t now_ns) {
  std::vector<LossSum> sums = core_.losses();
  core_.losses_taken();
  for (std::size_t kind = 0; kind < sums.size(); ++kind)
    losses_.total(static_cast<LossKind>(kind), sums[kind].count, sums[kind].first_ns, sums[kind].last_ns);
  std::uint64_t refused = stacks_.refused();
  for (const auto& tracer : tracers_) refused += tracer->refused_stacks();
  losses_.total(LossKind::kStackTableFull, refused);
  losses_.total(LossKind::kUnresolvedStack, stacks_.unresolved());
  losses_.total(LossKind::kUndecodable, decoder_.undecodable());
  losses_.total(LossKind::kMapsLine, lost_map_lines_);
  std::uint64_t skipped = core_.skipped_runs();
  for (const auto& tracer : tracers_) skipped += tracer->skipped_runs();
  losses_.total(LossKind::kSkippedRuns, skipped);
  losses_.total(LossKind::kProbesRefused, refused_probes_);
  std::vector<Loss> fresh = losses_.take(now_ns);
  return fresh.empty() ? Result<void>{} : writer_.write_losses(fresh);
}

Result<void> Recorder::write_children(std::uint64_t now_ns) {
  ChildCounts counts = children_.counts();
  if (counts == told_children_) return {};
  told_children_ = counts;
  counts.time_ns = now_ns;
  return writer_.write_children(counts);
}

Result<void> Recorder::write_cost(std::uint64_t now_ns) {
  TracerCost cost = measure_cost();
  CostSample sample;
  sample.target_cpu_ns = measure_target_cpu();
  sample.time_ns = now_ns;
  sample.probe_hits = cost.probe_hits;
  sample.trap_ns = cost.trap_ns;
  sample.bpf_ns = stored_time(cost.bpf_ns);
  sample.dwell_cpu_ns = own_cpu_ns();
  return writer_.write_cost(sample);
}

TracerCost Recorder::measure_cost() {
  TracerCost sum;
  for (std::size_t i = 0; i < tracers_.size(); ++i) {
    TracerCost cost = tracers_[i]->cost();
    parts_[i]->cost_ns = cost.trap_ns + cost.bpf_ns.value_or(0);
    sum.probe_hits += cost.probe_hits;
    sum.trap_ns += cost.trap_ns;
    sum.bpf_ns = sum_of(sum.bpf_ns, cost.bpf_ns);
  }
  return sum;
}

std::uint64_t Recorder::measure_target_cpu() {
  std::uint64_t sum_ns = 0;
  for (auto& process : processes_) {
    if (!process->ended) process->cpu_ns = process_cpu_ns(process->info.pid).value_or(process->cpu_ns);
    sum_ns += process->cpu_ns - std::min(process->cpu_ns, process->cpu_at_start_ns);
  }
  return sum_ns;
}

Recorder::Spent Recorder::measure_spent() {
  TracerCost cost = measure_cost();
  return {cost.trap_ns + cost.bpf_ns.value_or(0), measure_target_cpu()};
}

// What a recording costs is the target's time. Above the limit the target is worth more than the recording. The cost
// is hits times a calibrated price, which may come out above the whole.
void Recorder::spare_target(std::uint64_t now_ns, const Spent& spent) {
  std::optional<double> percent = guardrail_.add(now_ns, spent.cost_ns, spent.target_cpu_ns);
  if (!percent) return;
  gave_way_ = true;
  end_.reason = fmt::format("probes took {:.0f}% of the target's CPU time for 5 s, and may take {:g}% (--detach-above)",
                            std::min(*percent, 100.0), options_.detach_above_percent);
}

void Recorder::count_run_time(std::uint64_t now_ns) {
  if (run_time_window_ && now_ns - run_time_slice_ns_ >= kRunTimeSliceNs) {
    run_time_slice_ns_ = now_ns;
    (void)measure_cost();
  }
  if (now_ns < run_time_until_ns_) return;
  // Within a budget it may take a while until a program runs: before that, nothing is known of what it takes.
  if (run_time_window_ && now_ns - start_ns_ < kLongestFirstRunTimeNs && !measure_cost().bpf_ns) return;
  bool was_window = run_time_until_ns_ && run_time_window_;
  run_time_window_ = !was_window;
  if (!core_.count_run_time(run_time_window_)) run_time_window_ = false;
  run_time_until_ns_ = now_ns + (run_time_window_ ? kRunTimeWindowNs : kRunTimeEveryNs);
}

void Recorder::tell_progress(std::uint64_t now_ns, const Spent& spent) {
  if (!callbacks_.progress) return;
  RecordProgress progress;
  progress.elapsed_ns = now_ns - start_ns_;
  for (const auto& tracer : tracers_) tracer->report_progress(progress);
  if (told_ns_) progress.events_per_second = (decoder_.events() - told_events_) * 1e9 / (now_ns - told_ns_);
  told_events_ = decoder_.events();
  told_ns_ = now_ns;
  if (spent.target_cpu_ns) progress.cost_percent = std::min(100.0 * spent.cost_ns / spent.target_cpu_ns, 100.0);
  for (const LossSum& loss : core_.losses()) progress.lost += loss.count;
  progress.partial = partial_;
  callbacks_.progress(progress);
}

// The order of retreat: first what is new is kept smaller, then the recording ends, whole.
void Recorder::guard_memory(std::uint64_t now_ns) {
  if (now_ns - memory_seen_ns_ < kMemoryEveryNs && !out_of_memory()) return;
  memory_seen_ns_ = now_ns;
  std::uint64_t limit = memory_limit(), used = memory_in_use();
  auto above = [&](double share) { return static_cast<double>(used) > share * static_cast<double>(limit); };
  if (above(kShareToCut) && !short_of_memory_) {
    short_of_memory_ = true;
    ::malloc_trim(0);
    stacks_.keep_frames(kFramesWhenShort);
    note(fmt::format("dwell has taken {} of the {} of memory that it may (--max-memory): from now on, new stacks are "
                     "cut to their innermost {} frames",
                     human_bytes(static_cast<double>(used)), human_bytes(static_cast<double>(limit)), kFramesWhenShort));
  }
  if (out_of_memory())
    end_.reason = fmt::format("dwell needed more than the {} of memory that it may take (--max-memory)",
                              human_bytes(static_cast<double>(limit)));
  else if (above(kShareToEnd))
    end_.reason = fmt::format("dwell had taken {} of the {} of memory that it may (--max-memory)",
                              human_bytes(static_cast<double>(used)), human_bytes(static_cast<double>(limit)));
}

void Recorder::note_once(const std::string& text) {
  if (said_.size() < kMostNotes && said_.insert(text).second) note(text);
}

void Recorder::note_unseen(Unseen unseen) {
  partial_ = true;
  std::string text = fmt::format("{} is not seen: {}", unseen.what, unseen.why);
  if (said_.size() >= kMostNotes || !said_.insert(text).second) return;
  unseen.time_ns = monotonic_ns();
  unseen_.push_back(std::move(unseen));
  if (callbacks_.note) callbacks_.note(text);
}

void Recorder::note(const std::string& text) {
  if (++notes_told_ > kMostNotes) return;  // finish() says how many there were
  notes_.push_back({monotonic_ns(), text});
  if (callbacks_.note && !holds_notes_) callbacks_.note(text);
}

// ---- the end ----

Result<void> Recorder::finish() {
  for (auto& tracer : tracers_) tracer->before_last_records();
  // What waits in the ring belongs to the recording; what comes while the probes go away does not.
  for (std::size_t waiting = kCaughtUp; waiting >= kCaughtUp;) {
    Result<std::size_t> drained = core_.consume();
    if (!drained) return drained.error();
    waiting = *drained;
  }
  for (auto& tracer : tracers_) tracer->end();
  end_.time_ns = monotonic_ns();
  for (auto& process : processes_) note_gap(*process, true);
  for (const std::string& text : children_.summary()) notes_.push_back({end_.time_ns, text});
  if (newcomers_ > 1) notes_.push_back({end_.time_ns, fmt::format("{} processes joined while the others were recorded", newcomers_)});
  // Of any process of the machine, and healed by the look at all mappings that follows: no loss of an event.
  if (lost_mapping_news_)
    notes_.push_back({end_.time_ns, fmt::format("the kernel dropped {} notices of new mappings, of any process: all were "
                                                "read anew; code that came and went in between has no names",
                                                lost_mapping_news_)});
  if (Result<void> ticked = tick(end_.time_ns); !ticked) return ticked;
  for (auto& tracer : tracers_) tracer->detach();
  if (Result<void> live = write_live_if_memory_allows(); !live) return live;
  if (notes_told_ > kMostNotes) {
    Result<void> noted = writer_.write_note({end_.time_ns, fmt::format("there were {} more notes, which were not kept", notes_told_ - kMostNotes)});
    if (!noted) return noted;
  }
  if (Result<void> symbols = write_symbols_if_memory_allows(); !symbols) return symbols;
  for (const std::string& problem : take_parser_problems()) {
    if (callbacks_.note) callbacks_.note(problem);
    if (Result<void> written = writer_.write_note({end_.time_ns, problem}); !written) return written;
  }
  return writer_.finish(end_);
}

// Without the list only the ages of blocks are not known.
Result<void> Recorder::write_live_if_memory_allows() {
  try {
    return write_live(end_.time_ns);
  } catch (const std::bad_alloc&) {
    return writer_.write_note({end_.time_ns, "there was no memory to list the live blocks: their ages are not known"});
  }
}

// Names can be had later too.
Result<void> Recorder::write_symbols_if_memory_allows() {
  try {
    return write_symbols();
  } catch (const std::bad_alloc&) {
    return writer_.write_note({monotonic_ns(), "there was no memory to look for names: use dwell symbolize"});
  }
}

Result<void> Recorder::write_symbols() {
  SymbolizerOptions how;
  how.demangle = DemangleWidth::kShort;
  Symbolizer symbolizer(how);
  std::span<const Module> modules = writer_.modules();
  auto opener = [&](const Module& module) {
    return modules_.source_of(static_cast<std::uint32_t>(&module - modules.data()));
  };
  // What was made at run time can be named here and now, or never.
  auto wanted = [&](const Module& module) { return options_.symbols || module.kind != ModuleKind::kFile; };
  ResolvedSymbols resolved = resolve_symbols(modules, writer_.locations(), {}, opener, symbolizer, wanted);
  for (const auto& tracer : tracers_) tracer->name(resolved.symbols);
  std::uint64_t skipped_lines = 0;
  for (const auto& module : resolved.modules) skipped_lines += module.report.skipped_lines;
  losses_.total(LossKind::kPerfMapLine, skipped_lines);
  std::vector<Loss> fresh = losses_.take(end_.time_ns);
  if (Result<void> written = writer_.write_losses(fresh); !written) return written;
  return writer_.write_symbols(0, resolved.symbols);
}

}  // namespace dwell
