// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/tracing.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/clocks/state.h"
#include "userspace/clocks/gather.h"
#include "userspace/clocks/codec.h"

namespace dwell {
namespace {

AttachMethod method_for(const Calibration& calibration) {
  AttachMethod best = *calibration.abilities.best;
  return best == AttachMethod::kSession ? AttachMethod::kMulti : best;  // a read is seen at its entry
}

}  // namespace

Result<std::unique_ptr<Tracer>> ClockTracing::load(const TracerContext& context) {
  ClockTracerSettings settings;
  settings.method = method_for(context.calibration);
  settings.trap_ns = static_cast<std::uint64_t>(highest_read_price({}));
  Result<ClockTracer> tracer = ClockTracer::load(context.core, settings);
  if (!tracer) return tracer.error();
  std::unique_ptr<ClockTracing> tracing(new ClockTracing(context, std::move(*tracer)));
  if (Result<void> attached = tracing->tracer_.attach(); !attached) return attached.error();
  if (!tracing->tracer_.why_no_samples().empty())
    context.note("no samples of the vDSO: " + tracing->tracer_.why_no_samples());
  if (Result<void> started = tracing->reads_.start(); !started) return started.error();
  tracing->judge_sample(sample_clocks());
  return std::unique_ptr<Tracer>(std::move(tracing));
}

ClockTracing::ClockTracing(const TracerContext& context, ClockTracer tracer)
    : context_(context),
      part_(context.overhead.join("clocks", kOtherWorth, WindowSettings().share)),
      tracer_(std::move(tracer)),
      read_cost_(measure_read_cost()),
      reads_(tracer_, method_for(context.calibration), {}, highest_read_price({})) {}

// ---- processes and their probes ----

Result<void> ClockTracing::added(ProcessSlot process, const ProcessFacts& facts) {
  processes_.insert_or_assign(process, Process{facts.pid, {}});
  for (const TimerClock& timer : timers_of(facts.pid))
    tracer_.set_timer_clock(facts.pid, timer.create, timer.id, timer.clock);
  return {};
}

Result<void> ClockTracing::mapped(ProcessSlot slot, const std::vector<Mapping>& mappings, bool) {
  Process& process = processes_.at(slot);
  ClockProbes plan =
      plan_clock_probes(process.pid, mappings, context_.calibration, context_.next_probe, process.planned);
  if (Result<void> known = tracer_.set_vdso(slot, plan.vdso); !known) return known;
  std::uint16_t first = context_.next_probe;
  std::size_t fit = claim_probes(context_, plan.probes.size(), "its clocks");
  plan.probes.resize(fit);
  context_.next_probe = static_cast<std::uint16_t>(first + plan.probes.size());
  places_.insert(places_.end(), plan.places.begin(), plan.places.end());
  for (std::string& note : plan.notes)
    if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) notes_.push_back(std::move(note));
  return reads_.add(process.pid, first, std::move(plan.probes));
}

void ClockTracing::on_process_event(const ProcessNews& news) {
  auto process = processes_.find(news.process);
  if (process == processes_.end()) return;
  if (news.kind == ProcessNews::Kind::kExited) reads_.remove(process->second.pid);
  if (news.kind == ProcessNews::Kind::kExecuted) process->second.planned = {};
}

void ClockTracing::detach() {
  reads_.stop();
  tracer_.detach();
}

// ---- what comes from the kernel ----

bool ClockTracing::decode(const dwell_header& header, ProcessSlot, std::span<const std::byte> record) {
  if (header.type != DWELL_CLOCK_SET || record.size() < sizeof(dwell_clock_set_record)) return false;
  const auto& set = *reinterpret_cast<const dwell_clock_set_record*>(record.data());
  ledger_.called(set);
  authors_.push_back(describe_author(set));
  return true;
}

void ClockTracing::judge_sample(const ClockSample& sample) {
  for (std::int64_t step_ns : ledger_.sampled(sample, leap_second_due())) tracer_.note_step(step_ns);
  tracer_.set_realtime_offset(static_cast<std::int64_t>(sample.realtime_ns - sample.monotonic_ns));
}

// ---- the recording ----

// What a call did before a sample was taken has been read by the next tick.
Result<void> ClockTracing::write_tick(std::uint64_t) {
  if (pending_) judge_sample(*pending_);
  pending_ = sample_clocks();
  return {};
}

bool ClockTracing::is_vdso(const Location& location) const {
  std::span<const Module> modules = context_.writer.modules();
  return location.module >= 0 && modules[static_cast<std::size_t>(location.module)].kind == ModuleKind::kVdso;
}

std::vector<std::uint64_t> ClockTracing::frames(std::uint64_t identity) const {
  std::vector<std::uint64_t> outside;
  for (std::uint32_t index : context_.stacks.locations_of(identity))
    if (!is_vdso(context_.writer.locations()[index])) outside.push_back(index);
  return outside;
}

bool ClockTracing::through_probe(std::uint64_t identity) const {
  std::span<const Location> locations = context_.writer.locations();
  for (std::uint32_t index : context_.stacks.locations_of(identity)) {
    const Location& location = locations[index];
    if (is_vdso(location)) continue;
    return std::any_of(places_.begin(), places_.end(), [&](const FileSpan& place) {
      return context_.modules.find(place.device, place.inode) == location.module &&
             location.offset > place.start && location.offset <= place.end;
    });
  }
  return false;
}

ClockLook ClockTracing::look(std::uint64_t now_ns) {
  ClockCounts counts;
  counts.watch = reads_.state();
  counts.reads = tracer_.reads();
  counts.waits = tracer_.waits();
  counts.open_waits = tracer_.open_waits();
  counts.pairs = tracer_.pairs();
  counts.sample_period_ns = ClockTracerSettings{}.sample_period_ns;
  counts.now_ns = now_ns;
  counts.vdso_read_ns = read_cost_.exact_ns;
  counts.vdso_coarse_ns = read_cost_.coarse_ns;
  for (const auto& [slot, process] : processes_) {
    counts.processes.emplace_back(slot, process.pid);
    dwell_sample_totals samples = tracer_.samples(slot);
    counts.samples.all += samples.all;
    counts.samples.in_kernel += samples.in_kernel;
    counts.samples.in_vdso += samples.in_vdso;
  }
  auto id_of = [this](std::uint64_t identity) { return context_.stacks.find(identity, 0); };
  ClockLook look =
      gather_clocks(counts, {id_of, [this](std::uint64_t identity) { return through_probe(identity); },
                             [this](std::uint64_t identity) { return frames(identity); }});
  add_steps(look, ledger_, authors_, id_of);
  look.kernel = kernel_clock_state();
  look.notes = notes_;
  if (!counts.watch.failure.empty())
    look.notes.push_back("reads were not counted to the end: " + counts.watch.failure);
  std::vector<std::uint64_t> losses = tracer_.losses();
  for (std::size_t kind = 0; kind < losses.size(); ++kind)
    if (losses[kind]) look.notes.push_back(fmt::format("lost: {} {}", losses[kind], clock_loss_name(kind)));
  return look;
}

Result<void> ClockTracing::write_live(std::uint64_t now_ns) {
  if (pending_) judge_sample(*pending_);
  pending_.reset();
  return write_clock_look(context_.writer, look(now_ns));
}

Result<void> ClockTracing::poll(std::uint64_t) {
  reads_.set_share(part_->share);
  return {};
}

TracerCost ClockTracing::cost() {
  ReadWatchState state = reads_.state();
  return {state.hits, static_cast<std::uint64_t>(state.trap_ns), state.bpf_ns};
}

}  // namespace dwell
