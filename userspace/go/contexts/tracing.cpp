// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/tracing.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "userspace/base/clock.h"
#include "userspace/go/codec.h"
#include "userspace/go/record/probe_budget.h"

namespace dwell {
namespace {

struct ContextFunction {
  std::string_view name;
  dwell_go_context_probe kind;
};
constexpr ContextFunction kContextFunctions[] = {
    {"context.(*cancelCtx).propagateCancel", DWELL_GO_CONTEXT_MADE},
    {"context.propagateCancel", DWELL_GO_CONTEXT_MADE_OLD},  // up to 1.20
    {"context.(*cancelCtx).cancel", DWELL_GO_CONTEXT_CANCELLED},
};

std::uint32_t word_index(std::vector<std::string>& words, const std::string& word) {
  auto known = std::ranges::find(words, word);
  if (known == words.end()) known = words.insert(known, word);
  return static_cast<std::uint32_t>(known - words.begin());
}

}  // namespace

Result<std::unique_ptr<Tracer>> ContextTracing::load(const TracerContext& context) {
  Result<ContextTracer> tracer = ContextTracer::load(context.core, go_probe_method(context.calibration));
  if (!tracer) return tracer.error();
  return std::unique_ptr<Tracer>(new ContextTracing(context, std::move(*tracer)));
}

ContextTracing::ContextTracing(const TracerContext& context, ContextTracer tracer)
    : context_(context), method_(go_probe_method(context.calibration)), tracer_(std::move(tracer)) {}

Result<void> ContextTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  Process process;
  process.pid = facts.pid;
  process.links = std::make_unique<ProbeLinks>(method_, tracer_.programs(), facts.pid);
  processes_.insert_or_assign(slot, std::move(process));
  return {};
}

// From here on the contexts of a program that runs already are counted.
Result<void> ContextTracing::require_probes(const ProcessFacts& facts) {
  for (auto& [slot, process] : processes_) {
    if (process.pid != facts.pid) continue;
    if (Result<void> found = find_runtime(slot, process, monotonic_ns()); !found) return found;
  }
  return {};
}

void ContextTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end()) return;
  Process& process = found->second;
  if (news.kind == ProcessNews::Kind::kExited) process.ended = true;
  // What replaces it may be a Go program as well, and has functions elsewhere.
  if (news.kind == ProcessNews::Kind::kExecuted) {
    process.links->detach();
    process.types.reset();
    process.runtime.start_anew();
  }
}

Result<void> ContextTracing::find_runtime(ProcessSlot slot, Process& process, std::uint64_t now_ns) {
  if (process.ended) return {};
  Result<bool> found = process.runtime.look_for(process.pid, now_ns);
  if (!found) {
    if (process.runtime.has_given_up())
      note(fmt::format("contexts of process {} are not seen: {}", process.pid, found.error().what));
    return found.error();
  }
  if (!*found) return {};
  process.types = ContextTypes::find(*process.runtime);
  if (process.types) {
    for (const auto& [address, itab] : process.types->all())
      tracer_.learn(slot, address, itab.has_parent() ? DWELL_GO_CONTEXT_GOES_ON : DWELL_GO_CONTEXT_ENDS);
  }
  return attach(process);
}

Result<void> ContextTracing::attach(Process& process) {
  std::vector<std::string_view> names;
  for (const ContextFunction& function : kContextFunctions) names.push_back(function.name);
  std::vector<GoProbe> probes = find_go_probes(process.runtime->module(), names, context_.calibration);
  bool makes = probes[0].found() || probes[1].found();
  if (!makes || !probes[2].found()) {
    note(makes ? probes[2].why_not
               : fmt::format("{} makes no contexts: it has no function that does", probes[0].path));
    return {};
  }
  std::vector<ProbeSite> sites;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    if (!probes[i].found() || !claim_probes(context_, 1, probes[i].path)) continue;
    std::uint16_t index = context_.next_probe++;
    prices_.resize(std::max<std::size_t>(prices_.size(), index + 1u));
    prices_[index] = probes[i].placements[0].cost_ns;
    sites.push_back(probes[i].site(kContextFunctions[i].kind, index));
  }
  Result<std::vector<AttachedSite>> attached = process.links->attach(sites);
  if (!attached) return attached.error();
  for (std::size_t i = 0; i < attached->size(); ++i)
    if ((*attached)[i].candidate < 0)
      note(fmt::format("{} could not be probed: {}", sites[i].name, (*attached)[i].failure));
  return {};
}

void ContextTracing::note(const std::string& text) {
  if (std::ranges::find(notes_, text) != notes_.end()) return;
  notes_.push_back(text);
  context_.note(text);
}

Result<void> ContextTracing::poll(std::uint64_t now_ns) {
  for (auto& [slot, process] : processes_) (void)find_runtime(slot, process, now_ns);
  return {};
}

void ContextTracing::detach() {
  for (auto& [slot, process] : processes_) process.links->detach();
}

TracerCost ContextTracing::cost() {
  std::vector<dwell_hits> hits = tracer_.hits(prices_.size());
  double trap_ns = 0;
  std::uint64_t all = 0;
  for (std::size_t probe = 0; probe < prices_.size(); ++probe) {
    trap_ns += static_cast<double>(hits[probe].entries) * prices_[probe];
    all += hits[probe].entries;
  }
  return {all, to_count(trap_ns), time_of_all_runs(tracer_.run_time(), all)};
}

std::string ContextTracing::parents_of(const Process& process, const dwell_go_context_site& site) const {
  std::string text;
  for (std::uint64_t word : site.parents) {
    const ContextTypes::Itab* parent = process.types ? process.types->itab(word) : nullptr;
    if (parent && parent->name == "value") continue;
    if (!parent && !text.empty()) break;
    text += (text.empty() ? "" : " < ") + (parent ? parent->name : "another kind");
    if (!parent || parent->name == "background" || parent->name == "without cancel") break;
  }
  return text.empty() ? "value" : text;
}

GoContexts ContextTracing::contexts(std::uint64_t now_ns) const {
  GoContexts result;
  result.time_ns = context_.start_ns;
  result.duration_ns = now_ns - context_.start_ns;
  result.lost = tracer_.lost();
  result.unknown = tracer_.unknown();
  result.notes = notes_;
  auto words_of = [](const dwell_go_context_site& site) {
    return std::string_view(reinterpret_cast<const char*>(&site), sizeof site);
  };
  std::map<std::string, std::uint64_t> oldest;  // by site
  for (const auto& [key, context] : tracer_.alive()) {
    auto [found, is_new] = oldest.try_emplace(std::string(words_of(context.site)), context.made_ns);
    found->second = std::min<std::uint64_t>(found->second, context.made_ns);
  }
  for (const auto& [site, sums] : tracer_.sites()) {
    auto process = processes_.find(static_cast<ProcessSlot>(site.process));
    if (process == processes_.end()) continue;
    GoContextFacts& facts = result.sites.emplace_back();
    facts.process = static_cast<ProcessSlot>(site.process);
    facts.stack = site.stack ? context_.stacks.find(site.stack, 0) : StackId::kUnknown;
    const ContextTypes::Itab* itab = process->second.types ? process->second.types->itab(site.itab) : nullptr;
    facts.kind = word_index(result.words, itab ? itab->name : "unknown");
    facts.parents = word_index(result.words, parents_of(process->second, site));
    facts.made = sums.made;
    facts.cancelled = sums.cancelled;
    facts.collected = sums.collected;
    std::uint64_t gone = sums.cancelled + sums.collected;
    facts.alive = sums.made > gone ? sums.made - gone : 0;
    auto found = oldest.find(std::string(words_of(site)));
    if (found != oldest.end() && now_ns > found->second) facts.oldest_ns = now_ns - found->second;
    facts.lived_ns = sums.lived_ns;
    facts.longest_ns = sums.longest_ns;
  }
  return result;
}

Result<void> ContextTracing::write_live(std::uint64_t now_ns) {
  GoContexts all = contexts(now_ns);
  TracerCost spent = cost();
  all.probe_hits = spent.probe_hits;
  all.trap_ns = spent.trap_ns;
  all.bpf_ns = stored_time(spent.bpf_ns);
  return write_go_contexts(context_.writer, all);
}

}  // namespace dwell
