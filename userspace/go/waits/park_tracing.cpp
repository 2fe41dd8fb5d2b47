// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/park_tracing.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/go/codec.h"
#include "userspace/go/record/probe_budget.h"
#include "userspace/probes/toggle_price.h"

namespace dwell {
namespace {

constexpr double kParkProgramNs = 700;  // of our program with its stack, as long as the kernel has not counted
constexpr std::uint64_t kLookShare = 10;      // looks take a tenth of the time at most
constexpr std::uint64_t kParkSeed = 0x9e3779b97f4a7c15;

struct ParkFunction {
  std::string_view name;
  dwell_go_park_probe kind;
  bool needed;
};
constexpr ParkFunction kParkFunctions[] = {
    {"runtime.gopark", DWELL_GO_PARK, true},
    {"runtime.execute", DWELL_GO_EXECUTE, true},
    {"runtime.ready", DWELL_GO_READY, false},
    {"sync.(*Mutex).lockSlow", DWELL_GO_CONTEND, false},           // up to 1.23
    {"internal/sync.(*Mutex).lockSlow", DWELL_GO_CONTEND, false},  // since
};

}  // namespace

Result<std::unique_ptr<Tracer>> ParkTracing::load(const TracerContext& context) {
  Result<ParkTracer> tracer = ParkTracer::load(context.core, go_probe_method(context.calibration));
  if (!tracer) return tracer.error();
  return std::unique_ptr<Tracer>(new ParkTracing(context, std::move(*tracer)));
}

ParkTracing::ParkTracing(const TracerContext& context, ParkTracer tracer)
    : context_(context), part_(context.overhead.join("goroutines' waits", kOtherWorth, kGoProbeShare)), method_(go_probe_method(context.calibration)), tracer_(std::move(tracer)), random_start_(kParkSeed) {}

// ---- processes and their probes ----

Result<void> ParkTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  Process process;
  process.pid = facts.pid;
  process.cpu_at_start_ns = process_cpu_ns(facts.pid).value_or(0);
  process.links = std::make_unique<ProbeLinks>(method_, tracer_.programs(), facts.pid);
  processes_.insert_or_assign(slot, std::move(process));
  return {};
}

// From here on a program that runs already is watched.
Result<void> ParkTracing::require_probes(const ProcessFacts& facts) {
  for (auto& [slot, process] : processes_) {
    if (process.pid != facts.pid) continue;
    if (Result<void> found = find_runtime(slot, process, monotonic_ns()); !found) return found;
  }
  return poll(monotonic_ns());
}

void ParkTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end()) return;
  if (news.kind == ProcessNews::Kind::kExited) {
    found->second.ended = true;
    window_.process_ends.emplace(news.process, news.time_ns);
  }
  // What replaces it may be a Go program as well, and has functions elsewhere.
  if (news.kind == ProcessNews::Kind::kExecuted) {
    Process& process = found->second;
    process.links->detach();
    process.sites.clear();
    process.stacks.reset();
    process.runtime.start_anew();
  }
}

Result<void> ParkTracing::find_runtime(ProcessSlot slot, Process& process, std::uint64_t now_ns) {
  if (process.ended) return {};
  Result<bool> found = process.runtime.look_for(process.pid, now_ns);
  if (!found) {
    if (process.runtime.has_given_up())
      note_failure(
          fmt::format("parked goroutines of process {} are not seen: {}", process.pid, found.error().what));
    return found.error();
  }
  if (!*found) return {};
  const GoModule& module = process.runtime->module();
  process.stacks = std::make_unique<GoStackIds>(module, module_index(process.pid, module, context_.modules),
                                                context_.stacks, context_.writer);
  plan_probes(process);
  if (windows_ && windows_->is_open()) {
    attach(process);
    std::ranges::move(see_parked(*process.runtime, slot, *process.stacks), std::back_inserter(window_.seen));
  }
  return {};
}

void ParkTracing::plan_probes(Process& process) {
  std::vector<std::string_view> names;
  for (const ParkFunction& function : kParkFunctions) names.push_back(function.name);
  std::vector<GoProbe> probes = find_go_probes(process.runtime->module(), names, context_.calibration);
  bool any_lock = false;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const ParkFunction& function = kParkFunctions[i];
    if (!probes[i].found()) {
      if (function.needed) note_failure(probes[i].why_not);
      continue;
    }
    any_lock |= function.kind == DWELL_GO_CONTEND;
    if (!claim_probes(context_, 1, probes[i].path)) continue;
    std::uint16_t index = context_.next_probe++;
    prices_.resize(std::max<std::size_t>(prices_.size(), index + 1u));
    prices_[index] = probes[i].placements[0].cost_ns;
    process.sites.push_back(probes[i].site(function.kind, index));
  }
  if (!any_lock) note_failure("no mutex of this program can be contended: it has no slow way into one");
}

void ParkTracing::attach(Process& process) {
  if (process.sites.empty() || process.ended) return;
  Result<std::vector<AttachedSite>> attached = process.links->attach(process.sites);
  if (!attached) {
    if (process_cpu_ns(process.pid)) note_failure(attached.error().what);
    return;
  }
  for (std::size_t i = 0; i < attached->size(); ++i)
    if ((*attached)[i].candidate < 0)
      note_failure(fmt::format("{} could not be probed: {}", process.sites[i].name, (*attached)[i].failure));
}

void ParkTracing::note_failure(const std::string& text) {
  if (std::ranges::find(notes_, text) != notes_.end()) return;
  notes_.push_back(text);
  context_.note(text);
}

// ---- windows ----

std::size_t ParkTracing::most_places() const {
  std::size_t places = 0;
  for (const auto& [slot, process] : processes_) places = std::max(places, process.sites.size());
  return places;
}

Result<void> ParkTracing::poll(std::uint64_t now_ns) {
  for (auto& [slot, process] : processes_) (void)find_runtime(slot, process, now_ns);
  std::size_t places = most_places();
  if (!places) return {};
  if (!windows_) {
    start_ns_ = now_ns;
    windows_.emplace(WindowSettings{.share = part_->share, .length_ns = kGoWindowNs, .places = places, .flush_ns = flush_ns()}, now_ns, kParkSeed);
  }
  windows_->set_share(part_->share);
  ProbeWindows::Step step = windows_->next(now_ns, trap_ns() + bpf_ns(), target_ns(now_ns));
  if (step == ProbeWindows::Step::kOpen && now_ns - closed_ns_ >= kLookShare * look_took_ns_) {
    open();
    // Between two polls a busy program could spend in probes what it may in a second.
    std::this_thread::sleep_until(
        std::chrono::steady_clock::time_point(std::chrono::nanoseconds(window_.start_ns + kGoWindowNs)));
    now_ns = monotonic_ns();
    step = windows_->next(now_ns, trap_ns() + bpf_ns(), target_ns(now_ns));
  }
  if (step == ProbeWindows::Step::kClose) close();
  return {};
}

void ParkTracing::open() {
  random_start_.wait(*processes_.begin()->second.links);
  for (auto& [slot, process] : processes_) attach(process);
  window_ = {};
  window_.start_ns = monotonic_ns();
  cpu_at_open_ns_ = cpu_ns();
  if (windows_->windows() == 0) start_ns_ = window_.start_ns;
  tracer_.open_window();
  windows_->opened(window_.start_ns);
  look();
}

void ParkTracing::look() {
  std::uint64_t before_ns = monotonic_ns();
  for (auto& [slot, process] : processes_) {
    if (process.ended || !process.runtime) continue;
    std::ranges::move(see_parked(*process.runtime, slot, *process.stacks), std::back_inserter(window_.seen));
  }
  look_took_ns_ = monotonic_ns() - before_ns;
}

void ParkTracing::close() {
  std::uint64_t now_ns = monotonic_ns();
  tracer_.close_window();
  for (auto& [slot, process] : processes_) process.links->detach();
  // No program is under way any more.
  accounts_.add(window_until(now_ns));
  tracer_.forget();
  windows_->closed(now_ns);
  window_cpu_ns_ += cpu_ns() - std::min(cpu_ns(), cpu_at_open_ns_);
  closed_ns_ = now_ns;
  window_ = {};
}

ParkWindow ParkTracing::window_until(std::uint64_t now_ns) const {
  ParkWindow window = window_;
  window.end_ns = now_ns;
  window.sites = tracer_.sites();
  window.goroutines = tracer_.goroutines();
  return window;
}

void ParkTracing::detach() {
  if (windows_ && windows_->is_open()) close();
}

// ---- cost ----

double ParkTracing::trap_ns() const {
  std::vector<dwell_hits> hits = tracer_.hits(prices_.size());
  double cost = 0;
  for (std::size_t probe = 0; probe < prices_.size(); ++probe)
    cost += static_cast<double>(hits[probe].entries) * prices_[probe];
  return cost;
}

KnownTime ParkTracing::counted_bpf_ns() const { return time_of_all_runs(tracer_.run_time(), all_hits()); }

double ParkTracing::bpf_ns() const {
  KnownTime counted = counted_bpf_ns();
  return counted ? static_cast<double>(*counted) : kParkProgramNs * static_cast<double>(all_hits());
}

std::uint64_t ParkTracing::all_hits() const {
  std::uint64_t all = 0;
  for (const dwell_hits& one : tracer_.hits(prices_.size())) all += one.entries;
  return all;
}

std::uint64_t ParkTracing::cpu_ns() const {
  std::uint64_t sum = 0;
  for (const auto& [slot, process] : processes_)
    sum += process_cpu_ns(process.pid).value_or(process.cpu_at_start_ns) - process.cpu_at_start_ns;
  return sum;
}

double ParkTracing::target_ns(std::uint64_t now_ns) const {
  return static_cast<double>(cpu_ns()) + kGoIdleShare * static_cast<double>(now_ns - start_ns_);
}

TracerCost ParkTracing::cost() {
  return {all_hits(), to_count(trap_ns() + (windows_ ? windows_->toggles_ns() : 0)), counted_bpf_ns()};
}

// ---- the recording ----

std::uint32_t ParkTracing::reason_index(GoParks& parks, const ParkSite& site) const {
  auto process = processes_.find(site.process);
  std::string reason;
  if (site.kind == DWELL_GO_CONTENDED)
    reason = "sync.Mutex.Lock";
  else if (process != processes_.end() && process->second.runtime)
    reason = process->second.runtime->wait_reason(site.reason);
  auto known = std::ranges::find(parks.reasons, reason);
  if (known == parks.reasons.end()) known = parks.reasons.insert(known, reason);
  return static_cast<std::uint32_t>(known - parks.reasons.begin());
}

GoParks ParkTracing::parks(std::uint64_t now_ns) {
  bool open = windows_ && windows_->is_open();
  ParkAccounts so_far = accounts_;
  if (open) so_far.add(window_until(now_ns));
  GoParks parks;
  parks.time_ns = start_ns_;
  parks.duration_ns = now_ns - start_ns_;
  parks.watched_ns = so_far.watched_ns();
  parks.windows = so_far.windows();
  TracerCost spent = cost();
  parks.probe_hits = spent.probe_hits;
  parks.trap_ns = spent.trap_ns;
  parks.bpf_ns = stored_time(spent.bpf_ns);
  parks.lost = tracer_.lost();
  parks.window_cpu_ns = window_cpu_ns_ + (open ? cpu_ns() - std::min(cpu_ns(), cpu_at_open_ns_) : 0);
  parks.notes = notes_;
  for (const auto& [site, figures] : so_far.figures(parks.duration_ns)) {
    GoParkFacts& facts = parks.sites.emplace_back();
    facts.stack = site.stack ? context_.stacks.find(site.stack, 0) : StackId::kUnknown;
    facts.process = site.process;
    facts.contended = site.kind == DWELL_GO_CONTENDED;
    facts.reason = reason_index(parks, site);
    facts.counted = figures.counted;
    facts.count = to_count(figures.count);
    facts.count_error = to_count(std::ceil(figures.count_error));
    facts.ns = to_count(figures.ns);
    facts.ns_error = to_count(std::ceil(figures.ns_error));
    facts.before = figures.before;
    facts.still = figures.still;
    facts.max_ns = figures.max_ns;
    facts.queued = figures.queued;
    facts.queued_ns = figures.queued_ns;
  }
  return parks;
}

// At the end the last window has been closed a moment ago, and that moment is no gap.
Result<void> ParkTracing::write_live(std::uint64_t now_ns) {
  if (!windows_) return {};
  return write_go_parks(context_.writer, parks(now_ns));
}

}  // namespace dwell
