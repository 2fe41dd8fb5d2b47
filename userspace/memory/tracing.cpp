// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/tracing.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/memory/codec.h"
#include "userspace/memory/decoder.h"
#include "userspace/memory/process_sampler.h"
#include "userspace/probes/detach_together.h"
#include "userspace/probes/doctor.h"
#include "userspace/probes/module_kind.h"
#include "userspace/views/growth.h"

namespace dwell {
namespace {

// Frees first and what gives out memory last: a block whose allocation is seen is freed under our eyes too.
constexpr int kAttachSteps = 3;
int step_of(const PlannedProbe& probe) {
  if (!wants_return(probe.function.shape)) return 0;
  return gives_back(probe.function.shape) ? 1 : 2;
}

// More blocks than that are in no process: an eighth of its memory, as no allocator's blocks are smaller.
std::uint64_t most_blocks(pid_t pid) {
  std::optional<MemorySample> memory = read_memory_sample(pid);
  return memory ? (memory->resident() + memory->swapped) / 8 : 0;
}

std::string reason(const AttachedSite& refused) {
  return refused.hint.empty() ? refused.failure : refused.failure + "; " + refused.hint;
}

memory::windows::Allocator allocator_named(const std::string& name) {
  if (name == "glibc") return memory::windows::Allocator::kGlibc;
  if (name == "C++ runtime") return memory::windows::Allocator::kMain;
  return name == "jemalloc" ? memory::windows::Allocator::kJemalloc : memory::windows::Allocator::kOther;
}

std::optional<TrapClass> exit_trap(const PlannedProbe& probe) {
  return probe.exits.empty() ? std::nullopt : std::optional(TrapClass::kStepped);
}

memory::windows::DrivenSite driven_site(const PlannedProbe& probe, const ProbeSite& site, const std::string& allocator) {
  bool gives_out = wants_return(probe.function.shape) && probe.function.family != AllocFamily::kMapping;
  return {.site = site,
          .probe = probe.index,
          .trap = probe.chosen().trap,
          .exit = exit_trap(probe),
          .step = step_of(probe),
          .in_windows = gives_out || probe.function.shape == DWELL_SHAPE_THROW,
          .allocator = allocator_named(allocator)};
}

}  // namespace

TracerLoader MemoryTracing::loader(const MemoryTracingOptions& options, std::shared_ptr<memory::KeptBlocks> kept) {
  return [options, kept](const TracerContext& context) -> Result<std::unique_ptr<Tracer>> {
    double percent = overhead_budget(context.options);
    AttachMethod method = *context.calibration.abilities.best;
    if (percent > 0 && method == AttachMethod::kPerf && !context.options.max_overhead_percent) {
      context.note("this kernel attaches probes one by one, too slowly to keep within a budget: all allocations are recorded, whatever it costs");
      percent = 0;
    }
    MemoryTracerSettings settings{context.options.sample_bytes, method, percent > 0};
    Result<MemoryTracer> tracer = MemoryTracer::load(context.core, settings);
    if (!tracer) return tracer.error();
    std::unique_ptr<MemoryTracing> tracing(new MemoryTracing(context, options, std::move(*tracer)));
    tracing->kept_ = kept;
    if (!settings.budgeted) return std::unique_ptr<Tracer>(std::move(tracing));
    auto part = context.overhead.join(std::string(tracing->called()), kMemoryWorth, percent / 100);
    auto budget = memory::windows::BudgetedMemory::create(context, percent, part, tracing->tracer_, tracing->ledger_);
    if (!budget) return budget.error();
    tracing->part_ = part;
    tracing->budget_ = std::move(*budget);
    return std::unique_ptr<Tracer>(std::move(tracing));
  };
}

MemoryTracing::MemoryTracing(const TracerContext& context, const MemoryTracingOptions& options, MemoryTracer tracer)
    : context_(context),
      options_(options),
      tracer_(std::move(tracer)),
      ledger_(context.start_ns, context.options.sample_bytes),
      cost_(context.calibration.prices) {}

// ---- processes and their probes ----

Result<void> MemoryTracing::added(ProcessSlot process, const ProcessFacts& facts) {
  PlanOptions how = plan_options_for(facts.pid, context_.calibration);
  how.heap = options_.heap;
  how.mappings = options_.mappings;
  how.returns_allowed &= context_.options.return_probes;
  processes_.insert_or_assign(
      process, Process{facts.pid,
                       how,
                       std::make_unique<ProbeLinks>(*context_.calibration.abilities.best, tracer_.programs(),
                                                    facts.pid),
                       {}});
  oldest_blocks_ += most_blocks(facts.pid);
  if (budget_) budget_->added(process, facts.pid);
  return {};
}

void MemoryTracing::forgotten(ProcessSlot slot) {
  processes_.erase(slot);
  if (budget_) budget_->forgotten(slot);
}

Result<void> MemoryTracing::mapped(ProcessSlot slot, const std::vector<Mapping>& mappings, bool late) {
  Process& process = processes_.at(slot);
  std::vector<Wanted> wanted;
  std::vector<std::string> arrived;
  bool ran_already = late;
  late = late && !process.inspected.empty();
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file()) continue;
    if (!process.inspected.insert({mapping.device(), mapping.inode}).second) continue;
    Result<AllocModule> module = module_in(process.pid, mapping);
    if (!module) {
      context_.note(module.error().what);
      continue;
    }
    if (!module->hidden.empty())
      not_seen(fmt::format("{} inside {}", module->hidden, module->path), "the program is stripped, so its functions have no names");
    for (PlannedProbe* probe : plan(*module, process.how)) wanted.push_back({probe, module->open_path, module->allocator});
    if (late && !module->functions.empty())
      arrived.push_back(fmt::format("{} in {} was mapped while recording: its probes came after that",
                                    module->allocator, module->path));
  }
  wanted = needed(process, std::move(wanted));
  process.any_probes = process.any_probes || !wanted.empty();
  Result<void> attached = attach(slot, wanted);
  if (!attached) return attached;
  if (ran_already) late_probes_ += wanted.size();
  for (const std::string& text : arrived) context_.note(text);
  return {};
}

void MemoryTracing::forget_probes(ProcessSlot slot) {
  Process& process = processes_.at(slot);
  process.inspected.clear();
  if (budget_) return budget_->forget_probes(slot);
  AttachMethod method = *context_.calibration.abilities.best;
  std::unique_ptr<ProbeLinks> old = std::exchange(
      process.links, std::make_unique<ProbeLinks>(method, tracer_.programs(), process.pid));
  // A perf event looks at the memory that its thread had, and is blind. A link looks at the process of that thread
  // from some kernels on: beside a new one it would see each call a second time.
  if (method == AttachMethod::kPerf) closing_.close(std::move(old));
}

// A file is searched once; each process opens it by a path of its own.
Result<AllocModule> MemoryTracing::module_in(pid_t pid, const Mapping& mapping) {
  auto known = modules_.find({mapping.device(), mapping.inode});
  if (known == modules_.end()) {
    Result<AllocModule> module = find_allocator(pid, mapping);
    if (module) modules_.emplace(FileKey{mapping.device(), mapping.inode}, *module);
    return module;
  }
  AllocModule module = known->second;
  if (module.functions.empty()) return module;
  Result<std::string> path = path_to_open(pid, mapping);
  if (!path) return path.error();
  module.path = mapping.path;
  module.open_path = std::move(*path);
  return module;
}

std::vector<PlannedProbe*> MemoryTracing::plan(const AllocModule& module, PlanOptions how) {
  auto [known, fresh] = plans_.try_emplace({module.device, module.inode});
  if (!fresh || module.functions.empty()) return known->second;
  how.first_index = context_.next_probe;
  std::int32_t index = context_.modules.find(module.device, module.inode);
  std::vector<PlannedProbe> plans = plan_module(module, context_.calibration, how);
  plans.resize(claim_probes(context_, plans.size(), module.path));
  for (PlannedProbe& planned : plans) {
    if (!planned.refusal.empty()) not_seen(fmt::format("{} in {}", planned.function.name, module.path), planned.refusal);
    if (index >= 0) context_.stacks.set_probe(planned.index, {index, planned.function.file_offset, false});
    probes_.push_back(std::make_unique<PlannedProbe>(std::move(planned)));
    known->second.push_back(probes_.back().get());
    ++context_.next_probe;
  }
  return known->second;
}

// Probes of what throws are kept back until there is a call whose end they may tell.
std::vector<MemoryTracing::Wanted> MemoryTracing::needed(Process& process, std::vector<Wanted> wanted) {
  auto has_exits = [](const Wanted& one) { return !one.probe->exits.empty(); };
  process.any_exits = process.any_exits || std::any_of(wanted.begin(), wanted.end(), has_exits);
  wanted.insert(wanted.end(), process.throws.begin(), process.throws.end());
  process.throws.clear();
  auto later = std::stable_partition(wanted.begin(), wanted.end(), [&](const Wanted& one) {
    return is_needed(*one.probe, process.any_exits);
  });
  process.throws.assign(later, wanted.end());
  wanted.erase(later, wanted.end());
  return wanted;
}

Result<void> MemoryTracing::attach(ProcessSlot slot, const std::vector<Wanted>& wanted) {
  // Within a budget what exact recording would cost is tried before anything is attached, and the order is kept there.
  for (int step = 0; step < (budget_ ? 1 : kAttachSteps); ++step) {
    std::vector<Wanted> now;
    for (const Wanted& one : wanted)
      if (!one.probe->placements.empty() && (budget_ || step_of(*one.probe) == step)) now.push_back(one);
    if (Result<void> attached = attach_step(slot, now); !attached) return attached;
  }
  return {};
}

Result<std::vector<AttachedSite>> MemoryTracing::try_attach(ProcessSlot slot, const std::vector<Wanted>& wanted) {
  std::vector<ProbeSite> sites;
  std::vector<memory::windows::DrivenSite> driven;
  for (const Wanted& one : wanted) {
    sites.push_back(one.probe->site);
    sites.back().path = one.path;
    driven.push_back(driven_site(*one.probe, sites.back(), one.allocator));
  }
  return budget_ ? budget_->attach(slot, driven) : processes_.at(slot).links->try_attach(sites);
}

// What the kernel refuses, as it does where another tool's probe stands on the same instruction, is planned once more.
Result<void> MemoryTracing::attach_step(ProcessSlot slot, const std::vector<Wanted>& wanted) {
  if (wanted.empty()) return {};
  const Process& process = processes_.at(slot);
  Result<std::vector<AttachedSite>> attached = try_attach(slot, wanted);
  if (!attached) return attached.error();
  bool all = std::all_of(attached->begin(), attached->end(), [](const AttachedSite& site) { return site.candidate >= 0; });
  if (!all && process_has_ended(process.pid))
    return Error{fmt::format("probe PID {}: it has ended", process.pid), "", Exit::kNoTarget};
  std::vector<Wanted> again;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    PlannedProbe& probe = *wanted[i].probe;
    if ((*attached)[i].candidate < 0) {
      if (plan_otherwise(process, probe))
        again.push_back(wanted[i]);
      else
        not_seen(probe.site.name, reason((*attached)[i]));
      continue;
    }
    probe.candidate = (*attached)[i].candidate;
    cost_.set_probe(probe.index, probe.chosen().trap, exit_trap(probe));
  }
  return attach_step(slot, again);
}

bool MemoryTracing::plan_otherwise(const Process& process, PlannedProbe& probe) {
  for (const auto& [file, probes] : plans_) {
    auto module = modules_.find(file);
    if (module == modules_.end() || std::find(probes.begin(), probes.end(), &probe) == probes.end()) continue;
    return plan_by_exits(module->second, context_.calibration, process.how, probes, probe);
  }
  return false;
}

Result<void> MemoryTracing::require_probes(const ProcessFacts& facts) {
  for (const auto& [slot, process] : processes_)
    if (process.pid == facts.pid && process.any_probes) return {};
  Result<std::vector<Mapping>> mappings = read_maps(facts.pid);
  if (!mappings) return mappings.error();
  Result<AllocatorSet> none = find_allocators(facts.pid, *mappings);
  if (!none && probes_.empty() && !is_go_program(facts.pid)) nothing_to_probe_ = none.error().what;
  return none
             ? Error{fmt::format("trace PID {}: none of its allocation functions could be probed", facts.pid),
                     fmt::format("see why: dwell doctor -p {}", facts.pid), Exit::kUnsupported}
             : none.error();
}

void MemoryTracing::detach() {
  detached_ = true;
  if (budget_) budget_->detach();
  std::vector<ProbeLinks*> all;
  for (auto& [slot, process] : processes_) all.push_back(process.links.get());
  detach_together(all);
}

// ---- events ----

void MemoryTracing::on_process_event(const ProcessNews& news) {
  if (budget_) budget_->happened(news);
  switch (news.kind) {
    case ProcessNews::Kind::kExecuted:
      became_another_ = true;
      ledger_.apply(Exec{news.time_ns, news.process});
      break;
    case ProcessNews::Kind::kExited:
      ledger_.apply(ProcessExit{news.time_ns, news.process});
      if (auto process = processes_.find(news.process); process != processes_.end())
        process->second.links->detach();
      break;
    case ProcessNews::Kind::kThreadExited:
      ledger_.apply(ThreadExit{news.time_ns, news.tid, news.process});
      break;
    case ProcessNews::Kind::kForked:
    case ProcessNews::Kind::kForkedBelow:
    case ProcessNews::Kind::kSpawned:
      break;
  }
}

void MemoryTracing::on_fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) {
  ledger_.apply(Fork{time_ns, parent, child});
}

bool MemoryTracing::decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) {
  return decode_memory(header, process, record, context_.stacks, [&](const auto& event) {
    if (!budget_ || budget_->is_exact(process, event.time_ns)) ledger_.apply(event);
  });
}

Result<void> MemoryTracing::poll(std::uint64_t now_ns) { return budget_ ? budget_->poll(now_ns) : Result<void>(); }

// ---- the recording ----

// What is freed was allocated, seen or not. A check that costs nothing, of what nothing else would tell.
void MemoryTracing::check_frees() {
  constexpr std::uint64_t kFew = 1000;
  if (probes_.empty() && !nothing_to_probe_.empty()) return not_seen("the heap", nothing_to_probe_);
  std::uint64_t unknown = ledger_.unknown_frees(), known = ledger_.known_allocations();
  bool started = !context_.options.command.empty();
  bool too_many = unknown > kFew + (started ? known / 10 : oldest_blocks_);
  if (!too_many || told_of_unknown_frees_ || became_another_ || late_probes_ || context_.options.sample_bytes) return;
  for (const LossSum& loss : context_.core.losses())
    if (loss.count) return;
  told_of_unknown_frees_ = true;
  not_seen("some allocation function", fmt::format("{} blocks were freed that nobody was seen to allocate, more than can be "
                                                   "older than this recording", unknown));
}

Result<void> MemoryTracing::write_tick(std::uint64_t now_ns) {
  if (!budget_) check_frees();
  if (budget_) budget_->take_windows(now_ns);
  Result<void> written = write_memory_tick(context_.writer, ledger_.take_tick(now_ns), ledger_.series());
  tick_bytes_ = context_.writer.appended_bytes();
  if (!written || !budget_) return written;
  written = budget_->write_tick(now_ns);
  tick_bytes_ += context_.writer.appended_bytes();
  // Somebody watches: what is retained is known at each tick, not at the end alone.
  if (written && context_.options.longest_tick_ns) written = budget_->write_retained(now_ns);
  return written;
}

Result<void> MemoryTracing::write_live(std::uint64_t now_ns) {
  if (budget_)
    if (Result<void> written = budget_->write_retained(now_ns); !written) return written;
  if (detached_ && kept_) keep_blocks();
  return write_live_blocks(context_.writer, {now_ns, ledger_.live_blocks()}, ledger_.series());
}

// Of many blocks of a call site some are enough: they stand for the others.
void MemoryTracing::keep_blocks() {
  std::map<ProcessSlot, std::vector<memory::reach::FollowedBlock>>& kept = kept_->blocks;
  for (const LiveBlock& block : ledger_.live_blocks()) {
    const Series& series = ledger_.series()[block.series];
    if (series.kind == MemoryKind::kHeap) kept[series.process].push_back({block.address, block.size, block.series, 1});
  }
  if (budget_)
    for (const auto& [slot, process] : processes_) budget_->add_live_samples(slot, kept[slot]);
  for (auto& [slot, blocks] : kept) {
    std::size_t step = blocks.size() / memory::KeptBlocks::kMost + 1;
    if (step == 1) continue;
    for (std::size_t i = 0; i * step < blocks.size(); ++i) blocks[i] = blocks[i * step], blocks[i].weight *= static_cast<double>(step);
    blocks.resize((blocks.size() + step - 1) / step);
    blocks.shrink_to_fit();
  }
}

TracerCost MemoryTracing::cost() {
  RunTime counted = budget_ ? budget_->prices().run_time() : tracer_.run_time();
  std::vector<dwell_hits> hits = tracer_.hits(context_.next_probe);
  // Only a session's entry can refuse its return.
  if (*context_.calibration.abilities.best != AttachMethod::kSession) {
    for (const auto& probe : probes_)
      if (probe->end == CallEnd::kReturnProbe) hits[probe->index].returns = hits[probe->index].entries;
  }
  cost_.update(hits, counted.runs, counted.ns);
  return {cost_.probe_hits(), cost_.trap_ns() + (budget_ ? budget_->prices().toggles_ns() : 0), cost_.bpf_ns()};
}

void MemoryTracing::report_progress(RecordProgress& progress) const {
  LiveTotal live = ledger_.live(MemoryKind::kHeap);
  progress.live_bytes = live.bytes;
  progress.live_blocks = context_.options.sample_bytes ? live.blocks / kScaledBlock : live.blocks;
  if (budget_) {
    progress.live_bytes += static_cast<std::uint64_t>(budget_->retained_bytes());
    progress.live_blocks += static_cast<std::uint64_t>(budget_->retained_blocks());
  }
  if (progress.elapsed_ns >= kMinGrowthSpanNs)
    progress.growth_bytes_per_minute = static_cast<double>(progress.live_bytes) * 60e9 / static_cast<double>(progress.elapsed_ns);
}

}  // namespace dwell
