// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/tracing.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/memory/decoder.h"
#include "userspace/probes/doctor.h"
#include "userspace/memory/codec.h"

namespace dwell {
namespace {

// Frees first and what gives out memory last: a block whose allocation is seen is freed under our eyes too.
constexpr int kAttachSteps = 3;
int attach_step(const PlannedProbe& probe) {
  if (!wants_return(probe.function.shape)) return 0;
  return gives_back(probe.function.shape) ? 1 : 2;
}

}  // namespace

TracerLoader MemoryTracing::loader(const MemoryTracingOptions& options) {
  return [options](const TracerContext& context) -> Result<std::unique_ptr<Tracer>> {
    MemoryTracerSettings settings{context.options.sample_bytes, *context.calibration.abilities.best};
    Result<MemoryTracer> tracer = MemoryTracer::load(context.core, settings);
    if (!tracer) return tracer.error();
    return std::unique_ptr<Tracer>(new MemoryTracing(context, options, std::move(*tracer)));
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
  return {};
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
    for (PlannedProbe* probe : plan(*module, process.how)) wanted.push_back({probe, module->open_path});
    if (late && !module->functions.empty())
      arrived.push_back(fmt::format("{} in {} was mapped while recording, and is probed from now on",
                                    module->allocator, module->path));
  }
  wanted = needed(process, std::move(wanted));
  if (Result<void> attached = attach(process, wanted); !attached) return attached;
  if (ran_already) late_probes_ += wanted.size();
  for (const std::string& text : arrived) context_.note(text);
  return {};
}

void MemoryTracing::forget_probes(ProcessSlot slot) {
  Process& process = processes_.at(slot);
  process.inspected.clear();
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
    if (!planned.refusal.empty())
      context_.note(
          fmt::format("{} in {} is not probed: {}", planned.function.name, module.path, planned.refusal));
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

Result<void> MemoryTracing::attach(Process& process, const std::vector<Wanted>& wanted) {
  for (int step = 0; step < kAttachSteps; ++step) {
    std::vector<ProbeSite> sites;
    std::vector<PlannedProbe*> probes;
    for (const auto& [probe, path] : wanted) {
      if (probe->placements.empty() || attach_step(*probe) != step) continue;
      sites.push_back(probe->site);
      sites.back().path = path;
      probes.push_back(probe);
    }
    if (sites.empty()) continue;
    Result<std::vector<AttachedSite>> attached = process.links->attach(sites);
    if (!attached) return attached.error();
    for (std::size_t i = 0; i < probes.size(); ++i) {
      if ((*attached)[i].candidate < 0) {
        context_.note(fmt::format("{} could not be probed: {}", sites[i].name, (*attached)[i].failure));
        continue;
      }
      probes[i]->candidate = (*attached)[i].candidate;
      std::optional<TrapClass> exit;
      if (!probes[i]->exits.empty()) exit = TrapClass::kStepped;
      cost_.set_probe(probes[i]->index, probes[i]->chosen().trap, exit);
    }
  }
  return {};
}

Result<void> MemoryTracing::require_probes(const ProcessFacts& facts) {
  if (!probes_.empty()) return {};
  Result<std::vector<Mapping>> mappings = read_maps(facts.pid);
  if (!mappings) return mappings.error();
  Result<AllocatorSet> none = find_allocators(facts.pid, *mappings);
  return none
             ? Error{fmt::format("trace PID {}: none of its allocation functions could be probed", facts.pid),
                     fmt::format("see why: dwell doctor -p {}", facts.pid), Exit::kUnsupported}
             : none.error();
}

void MemoryTracing::detach() {
  for (auto& [slot, process] : processes_) process.links->detach();
}

// ---- events ----

void MemoryTracing::on_process_event(const ProcessNews& news) {
  switch (news.kind) {
    case ProcessNews::Kind::kExecuted:
      ledger_.apply(Exec{news.time_ns, news.process});
      break;
    case ProcessNews::Kind::kExited:
      ledger_.apply(ProcessExit{news.time_ns, news.process});
      if (auto process = processes_.find(news.process); process != processes_.end())
        process->second.links->detach();
      break;
    case ProcessNews::Kind::kForked:
    case ProcessNews::Kind::kForkedBelow:
    case ProcessNews::Kind::kSpawned:
    case ProcessNews::Kind::kThreadExited:
      break;
  }
}

void MemoryTracing::on_fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) {
  ledger_.apply(Fork{time_ns, parent, child});
}

bool MemoryTracing::decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) {
  return decode_memory(header, process, record, context_.stacks, [this](const auto& event) { ledger_.apply(event); });
}

// ---- the recording ----

Result<void> MemoryTracing::write_tick(std::uint64_t now_ns) {
  Result<void> written = write_memory_tick(context_.writer, ledger_.take_tick(now_ns), ledger_.series());
  tick_bytes_ = context_.writer.appended_bytes();
  return written;
}

Result<void> MemoryTracing::write_live(std::uint64_t now_ns) {
  return write_live_blocks(context_.writer, {now_ns, ledger_.live_blocks()}, ledger_.series());
}

TracerCost MemoryTracing::cost() {
  RunTime counted = tracer_.run_time();
  std::vector<dwell_hits> hits = tracer_.hits(context_.next_probe);
  // Only a session's entry can refuse its return.
  if (*context_.calibration.abilities.best != AttachMethod::kSession) {
    for (const auto& probe : probes_)
      if (probe->end == CallEnd::kReturnProbe) hits[probe->index].returns = hits[probe->index].entries;
  }
  cost_.update(hits, counted.runs, counted.ns);
  return {cost_.probe_hits(), cost_.trap_ns(), cost_.bpf_ns()};
}

void MemoryTracing::report_progress(RecordProgress& progress) const {
  LiveTotal live = ledger_.live(MemoryKind::kHeap);
  progress.live_bytes = live.bytes;
  progress.live_blocks = context_.options.sample_bytes ? live.blocks / kScaledBlock : live.blocks;
  progress.growth_bytes_per_minute = live.bytes * 60e9 / std::max<std::uint64_t>(progress.elapsed_ns, 1);
}

}  // namespace dwell
