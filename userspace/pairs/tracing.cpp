// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/tracing.h"

#include <fmt/core.h>

#include <algorithm>

#include "bpf/pairs.h"
#include "userspace/base/clock.h"
#include "userspace/pairs/check.h"
#include "userspace/pairs/codec.h"
#include "userspace/probes/detach_together.h"
#include "userspace/probes/doctor.h"

namespace dwell::pairs {
namespace {

std::string given_text(const PairSpec& spec) {
  std::string text;
  for (const auto* side : {&spec.takes, &spec.gives}) {
    if (side == &spec.gives) text += ":";
    for (const PairFunction& function : *side) text += (&function == &side->front() ? "" : ",") + function.name;
  }
  return text;
}

// An exception or a panic may run through any function of such a process.
bool has_unwinder(const std::vector<Mapping>& mappings) {
  return std::ranges::any_of(mappings, [](const Mapping& mapping) {
    std::string_view base = std::string_view(mapping.path).substr(mapping.path.rfind('/') + 1);
    return base.starts_with("libgcc_s") || base.starts_with("libunwind");
  });
}

}  // namespace

TracerLoader PairTracing::loader(std::vector<PairSpec> specs) {
  return [specs = std::move(specs)](const TracerContext& context) { return load(context, specs); };
}

Result<std::unique_ptr<Tracer>> PairTracing::load(const TracerContext& context, const std::vector<PairSpec>& specs) {
  if (context.options.command.empty())  // what dwell starts has its libraries later
    if (Result<void> there = check_pairs(context.targets, specs); !there) return there.error();
  Result<PairProbes> probes = PairProbes::load(context.core, *context.calibration.abilities.best);
  if (!probes) return probes.error();
  return std::unique_ptr<Tracer>(new PairTracing(context, specs, std::move(*probes)));
}

Result<void> PairTracing::try_program(const TraceCore& core, AttachMethod method) {
  Result<PairProbes> probes = PairProbes::load(core, method);
  return probes ? Result<void>() : probes.error();
}

PairTracing::PairTracing(const TracerContext& context, std::vector<PairSpec> specs, PairProbes probes)
    : context_(context), specs_(std::move(specs)), probes_(std::move(probes)), ledger_(context.start_ns), cost_(context.calibration.prices) {
  for (const PairSpec& spec : specs_) pairs_.push_back({spec.name, given_text(spec), spec.size_argument != 0, {}, {}});
}

// ---- processes and their probes ----

Result<void> PairTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  PlanOptions how = plan_options_for(facts.pid, context_.calibration);
  how.returns_allowed &= context_.options.return_probes;
  AttachMethod method = *context_.calibration.abilities.best;
  processes_.insert_or_assign(slot, Process{facts.pid, how, std::make_unique<ProbeLinks>(method, probes_.programs(), facts.pid)});
  return {};
}

// A file is searched once; each process opens it by a path of its own.
PairTracing::Planned& PairTracing::plan(const Process& process, const Mapping& mapping, bool may_unwind) {
  auto [known, fresh] = plans_.try_emplace({mapping.device(), mapping.inode});
  Planned& planned = known->second;
  if (!fresh) return planned;
  Result<PairModule> module = find_pairs(process.pid, mapping, specs_);
  if (!module) {
    context_.note(module.error().what);
    return planned;
  }
  planned.module = std::move(*module);
  for (const FoundCopy& copy : planned.module.copies) {
    found_.insert(copy.wanted);
    std::string why = copy.inside.empty() ? "a copy of the function that the compiler made with other arguments, or of a part of it"
                                          : fmt::format("inlined into its callers, as into {}: //go:noinline helps", copy.inside);
    context_.unseen({0, "pairs", fmt::format("{} in {}", copy.name, mapping.path), why});
  }
  if (planned.module.found.empty()) return planned;
  PlanOptions how = process.how;
  how.first_index = context_.next_probe;
  std::vector<PlannedProbe> probes = plan_pairs(planned.module, specs_, may_unwind || planned.module.unwinds, context_.calibration, how);
  probes.resize(claim_probes(context_, probes.size(), mapping.path));
  std::int32_t index = context_.modules.find(mapping.device(), mapping.inode);
  for (PlannedProbe& probe : probes) {
    ++context_.next_probe;
    if (index >= 0) context_.stacks.set_probe(probe.index, {index, probe.function.file_offset, false});
    if (!probe.refusal.empty()) context_.unseen({0, "pairs", fmt::format("{} in {}", probe.function.name, mapping.path), probe.refusal});
    planned.probes.push_back(std::make_unique<PlannedProbe>(std::move(probe)));
  }
  note_functions(planned);
  return planned;
}

void PairTracing::note_functions(const Planned& planned) {
  for (std::size_t i = 0; i < planned.probes.size(); ++i) {
    const FoundFunction& function = planned.module.found[i];
    PairRole role = role_of(specs_, *function.wanted);
    found_.insert(function.wanted);
    pair_of_probe_[planned.probes[i]->index] = role.pair;
    if (!planned.probes[i]->refusal.empty()) continue;
    PairInfo& info = pairs_[role.pair];
    (role.gives ? info.gives : info.takes).push_back(fmt::format("{} in {}", function.name, planned.module.module.path));
    pairs_changed_ = true;
  }
}

Result<void> PairTracing::mapped(ProcessSlot slot, const std::vector<Mapping>& mappings, bool late) {
  Process& process = processes_.at(slot);
  bool may_unwind = has_unwinder(mappings);
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file() || !process.inspected.insert({mapping.device(), mapping.inode}).second) continue;
    Planned& planned = plan(process, mapping, may_unwind);
    if (planned.probes.empty()) continue;
    // First what gives back: what is seen being taken is seen being given back too.
    for (bool gives : {true, false})
      if (Result<void> attached = attach(process, mapping, planned, gives); !attached) return attached;
    if (late) late_probes_ += planned.probes.size();
  }
  return {};
}

Result<void> PairTracing::attach(Process& process, const Mapping& mapping, Planned& planned, bool gives) {
  Result<std::string> path = path_to_open(process.pid, mapping);
  if (!path) return path.error();
  std::vector<PlannedProbe*> probes;
  std::vector<ProbeSite> sites;
  for (const auto& probe : planned.probes) {
    if (!probe->refusal.empty() || gives_back(probe->function.shape) != gives) continue;
    probes.push_back(probe.get());
    sites.push_back(probe->site);
    sites.back().path = *path;
  }
  if (sites.empty()) return {};
  Result<std::vector<AttachedSite>> attached = process.links->try_attach(sites);
  if (!attached) return attached.error();
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const AttachedSite& site = (*attached)[i];
    if (site.candidate < 0) {
      if (!process_has_ended(process.pid)) context_.unseen({0, "pairs", probes[i]->site.name, site.failure});
      continue;
    }
    probes[i]->candidate = site.candidate;
    process.any_probes = true;
    cost_.set_probe(probes[i]->index, probes[i]->placements.empty() ? TrapClass::kStepped : probes[i]->chosen().trap,
                    probes[i]->exits.empty() ? std::nullopt : std::optional(TrapClass::kStepped));
    if (probes[i]->end == CallEnd::kReturnProbe) return_probes_.insert(probes[i]->index);
  }
  return {};
}

void PairTracing::forget_probes(ProcessSlot slot) {
  Process& process = processes_.at(slot);
  process.inspected.clear();
  auto old = std::exchange(process.links, std::make_unique<ProbeLinks>(process.links->likewise(process.pid)));
  // As memory's: beside a new link, one of several probes would see each call a second time.
  if (*context_.calibration.abilities.best == AttachMethod::kPerf) closing_.close(std::move(old));
}

Result<void> PairTracing::require_probes(const ProcessFacts& facts) {
  for (const auto& [slot, process] : processes_)
    if (process.pid == facts.pid && process.any_probes) return {};
  return Error{fmt::format("trace PID {}: it has no function of --pair", facts.pid), "what a library has that is loaded later is followed from then on",
               Exit::kUnsupported};
}

void PairTracing::detach() {
  std::vector<ProbeLinks*> all;
  for (auto& [slot, process] : processes_) all.push_back(process.links.get());
  detach_together(all);
}

void PairTracing::end() {
  for (const PairSpec& spec : specs_)
    for (const auto* side : {&spec.takes, &spec.gives})
      for (const PairFunction& function : *side)
        if (!found_.contains(&function))
          context_.unseen({monotonic_ns(), "pairs", fmt::format("{} of --pair {}", function.name, spec.name), "no file that the program has mapped defines it"});
}

// ---- events ----

// What the first process holds when it ends stays in the report: that is what it never gave back.
void PairTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end()) return;
  if (news.kind == ProcessNews::Kind::kExecuted) ledger_.process_ended(news.time_ns, news.process);
  if (news.kind != ProcessNews::Kind::kExited) return;
  if (news.process != 0) ledger_.process_ended(news.time_ns, news.process);
  found->second.links->detach();
}

bool PairTracing::decode(const dwell_header& header, ProcessSlot slot, std::span<const std::byte> bytes) {
  bool taken = header.type == DWELL_PAIR_TAKEN && bytes.size() >= sizeof(dwell_alloc_record);
  bool given = header.type == DWELL_PAIR_GIVEN && bytes.size() >= sizeof(dwell_free_record);
  auto pair = pair_of_probe_.find(header.probe);
  if ((!taken && !given) || pair == pair_of_probe_.end()) return false;
  auto value_of = [&](std::uint64_t sent) { return specs_[pair->second].numbers ? sent - 1 : sent; };
  if (given) {
    const auto& record = *reinterpret_cast<const dwell_free_record*>(bytes.data());
    ledger_.given(record.time_ns, {slot, pair->second, value_of(record.address)}, header.tid);
    return true;
  }
  const auto& record = *reinterpret_cast<const dwell_alloc_record*>(bytes.data());
  StackId stack = record.stack ? context_.stacks.find(record.stack, header.probe, record.time_ns) : StackId::kUnknown;
  std::uint64_t size = specs_[pair->second].size_argument ? record.size : 0;
  ledger_.taken({{slot, pair->second, stack}, value_of(record.address), record.time_ns, size, header.tid});
  return true;
}

// ---- the recording ----

Result<void> PairTracing::write_pairs() {
  if (!pairs_changed_) return {};
  pairs_changed_ = false;
  return context_.writer.append(kChunkPairs, encode_pairs(pairs_));
}

Result<void> PairTracing::write_tick(std::uint64_t now_ns) {
  for (const auto& [slot, process] : processes_) context_.writer.know_process(slot);
  if (Result<void> written = write_pairs(); !written) return written;
  Result<void> written = context_.writer.append(kChunkHoldTick, encode_hold_tick(ledger_.take_tick(now_ns)));
  tick_bytes_ = context_.writer.appended_bytes();
  return written;
}

Result<void> PairTracing::write_live(std::uint64_t now_ns) {
  if (Result<void> written = write_pairs(); !written) return written;
  return context_.writer.append(kChunkHeld, encode_held({now_ns, ledger_.holds()}));
}

TracerCost PairTracing::cost() {
  RunTime counted = probes_.run_time();
  std::vector<dwell_hits> hits = probes_.hits(context_.next_probe);
  // Only a session's entry can refuse its return.
  if (*context_.calibration.abilities.best != AttachMethod::kSession)
    for (std::uint16_t index : return_probes_) hits[index].returns = hits[index].entries;
  cost_.update(hits, counted.runs, counted.ns);
  return {cost_.probe_hits(), cost_.trap_ns(), cost_.bpf_ns()};
}

}  // namespace dwell::pairs
