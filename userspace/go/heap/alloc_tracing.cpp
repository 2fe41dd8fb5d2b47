// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/alloc_tracing.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "go_allocs.skel.h"
#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/collect/free_with.h"
#include "userspace/go/codec.h"
#include "userspace/go/heap/profile.h"
#include "userspace/go/record/probe_budget.h"
#include "userspace/process/process_memory.h"
#include "userspace/probes/toggle_price.h"

namespace dwell {
namespace {

constexpr const char* kAllocsWhat = "sampled allocations";
constexpr double kAllocProgramNs = 1500;  // of our program with its stack, as long as the kernel has not counted
constexpr std::uint64_t kAllocSeed = 0x2545f4914f6cdd1d;

// By its file: the runtime of a program that was just started is not there yet.
bool may_be_go(pid_t pid) {
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  return mappings && find_go_module(*mappings, ProcessMemory(pid));
}

bool keeps_profile(const GoRuntime& runtime) { return static_cast<bool>(read_heap_profile(runtime)); }

}  // namespace

struct AllocTracing::Program {
  std::unique_ptr<::go_allocs, FreeWith<go_allocs__destroy>> object;
};

Result<std::unique_ptr<AllocTracing::Program>> AllocTracing::load_program(const TraceCore& core, AttachMethod method) {
  auto program = std::make_unique<Program>();
  program->object.reset(go_allocs__open());
  if (!program->object) return load_error(kAllocsWhat, errno);
  if (Result<void> adopted = core.adopt(program->object->obj); !adopted) return adopted.error();
  set_probe_role(program->object->progs.on_span, ProbeRole::kEntry, method);
  if (int err = go_allocs__load(program->object.get())) return load_error(kAllocsWhat, -err);
  return program;
}

Result<void> AllocTracing::try_program(const TraceCore& core, AttachMethod method) {
  Result<std::unique_ptr<Program>> program = load_program(core, method);
  return program ? Result<void>() : program.error();
}

// A program that keeps a profile of its heap is asked for that: it costs nothing.
Result<std::unique_ptr<Tracer>> AllocTracing::load(const TracerContext& context) {
  if (std::ranges::none_of(context.targets, may_be_go)) return std::unique_ptr<Tracer>();
  Result<std::unique_ptr<Program>> program = load_program(context.core, go_probe_method(context.calibration));
  if (!program) return program.error();
  return std::unique_ptr<Tracer>(new AllocTracing(context, std::move(*program)));
}

AllocTracing::AllocTracing(const TracerContext& context, std::unique_ptr<Program> program)
    : context_(context), part_(context.overhead.join("Go's allocations", kOtherWorth, kGoProbeShare)), method_(go_probe_method(context.calibration)), program_(std::move(program)), random_start_(kAllocSeed) {}
AllocTracing::~AllocTracing() = default;

// ---- processes and their probes ----

Result<void> AllocTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  Process process;
  process.pid = facts.pid;
  process.cpu_at_start_ns = process_cpu_ns(facts.pid).value_or(0);
  ProbePrograms programs{bpf_program__fd(program_->object->progs.on_span), -1, -1};
  process.links = std::make_unique<ProbeLinks>(method_, programs, facts.pid);
  processes_.insert_or_assign(slot, std::move(process));
  return {};
}

// From here on a program that runs already is watched.
Result<void> AllocTracing::require_probes(const ProcessFacts& facts) {
  for (auto& [slot, process] : processes_) {
    if (process.pid != facts.pid) continue;
    if (Result<void> found = find_runtime(slot, process, monotonic_ns()); !found) return found;
  }
  return poll(monotonic_ns());
}

void AllocTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end()) return;
  Process& process = found->second;
  if (news.kind == ProcessNews::Kind::kExited) process.ended = true;
  if (news.kind == ProcessNews::Kind::kExecuted) {
    process.links->detach();
    process.sites.clear();
    process.fates.reset();
    process.runtime.start_anew();
    std::erase_if(samples_.live(), [&](const AllocSample& sample) { return sample.process == news.process; });
  }
}

Result<void> AllocTracing::find_runtime(ProcessSlot slot, Process& process, std::uint64_t now_ns) {
  if (process.ended) return {};
  Result<bool> found = process.runtime.look_for(process.pid, now_ns);
  if (!found && process.runtime.has_given_up() && has_go_code(process.pid))
    note_failure(fmt::format("the heap of PID {} is not sampled: {}", process.pid, found.error().what));
  if (!found) return found.error();
  if (!*found) return {};
  if (keeps_profile(*process.runtime)) {
    process.runtime.give_up();
    return {};
  }
  if (Result<void> planned = plan_probes(slot, process); !planned) {
    process.runtime.give_up();
    note_failure(fmt::format("the heap of PID {} can't be sampled: {}", process.pid, planned.error().what));
    return planned;
  }
  process.fates = std::make_unique<SampleFates>(*process.runtime, slot);
  if (windows_ && windows_->is_open()) attach(process);
  return {};
}

Result<void> AllocTracing::plan_probes(ProcessSlot slot, Process& process) {
  const GoModule& module = process.runtime->module();
  std::optional<dwell_go_span_layout> layout = span_layout(process.runtime->layout());
  if (!layout)
    return Error{fmt::format("the spans of {} are not laid out as dwell knows them", module.version), "",
                 Exit::kUnsupported};
  std::uint32_t key = slot;
  if (bpf_map_update_elem(bpf_map__fd(program_->object->maps.span_layouts), &key, &*layout, BPF_ANY))
    return system_error("tell where spans have their fields", errno);
  const GoProbe probes[] = {
      find_go_probe_behind(module, "runtime.(*mcache).nextFree", "runtime.(*mcache).refill",
                           context_.calibration),
      find_go_probe_behind(module, "runtime.(*mcache).allocLarge", "runtime.(*mheap).alloc",
                           context_.calibration),
  };
  for (const GoProbe& probe : probes) {
    if (!probe.found()) return Error{probe.why_not, "", Exit::kUnsupported};
    if (!claim_probes(context_, 1, probe.path)) continue;
    std::uint16_t index = context_.next_probe++;
    prices_.resize(std::max<std::size_t>(prices_.size(), index + 1u));
    prices_[index] = probe.placements[0].cost_ns;
    process.sites.push_back(probe.site(0, index));
  }
  return {};
}

void AllocTracing::attach(Process& process) {
  if (process.sites.empty() || process.ended) return;
  Result<std::vector<AttachedSite>> attached = process.links->attach(process.sites);
  if (!attached && process_cpu_ns(process.pid)) note_failure(attached.error().what);
}

void AllocTracing::note_failure(const std::string& text) {
  if (std::ranges::find(notes_, text) != notes_.end()) return;
  notes_.push_back(text);
  context_.note(text);
}

// ---- windows and looks ----

Result<void> AllocTracing::poll(std::uint64_t now_ns) {
  std::size_t places = 0;  // of the process that has most
  for (auto& [slot, process] : processes_) {
    (void)find_runtime(slot, process, now_ns);
    if (process.fates && !process.ended) process.fates->look(samples_);
    places = std::max(places, process.sites.size());
  }
  if (!places) return {};
  if (!windows_) windows_.emplace(WindowSettings{.share = part_->share, .length_ns = kGoWindowNs, .places = places, .flush_ns = flush_ns()}, now_ns, kAllocSeed);
  if (!start_ns_) start_ns_ = now_ns;
  windows_->set_share(part_->share);
  ProbeWindows::Step step = windows_->next(now_ns, trap_ns() + bpf_ns(), target_ns(now_ns));
  if (step == ProbeWindows::Step::kOpen) {
    open();
    // Between two polls a busy program could spend in probes what it may in a second.
    std::this_thread::sleep_for(std::chrono::nanoseconds(kGoWindowNs));
    now_ns = monotonic_ns();
    step = windows_->next(now_ns, trap_ns() + bpf_ns(), target_ns(now_ns));
  }
  if (step == ProbeWindows::Step::kClose) close();
  return {};
}

void AllocTracing::open() {
  random_start_.wait(*processes_.begin()->second.links);
  for (auto& [slot, process] : processes_) attach(process);
  std::uint64_t now_ns = monotonic_ns();
  if (windows_->windows() == 0) start_ns_ = now_ns;
  __atomic_store_n(&program_->object->bss->window, 1, __ATOMIC_RELEASE);
  windows_->opened(now_ns);
}

void AllocTracing::close() {
  __atomic_store_n(&program_->object->bss->window, 0, __ATOMIC_RELEASE);
  windows_->closed(monotonic_ns());
  for (auto& [slot, process] : processes_) process.links->detach();
}

bool AllocTracing::decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> bytes) {
  if (header.type != DWELL_GO_ALLOC || bytes.size() < sizeof(dwell_go_alloc_record)) return false;
  dwell_go_alloc_record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  samples_.add({record.time_ns, record.address, record.span, record.element_size, record.objects,
                record.stack, static_cast<std::uint8_t>(process), 0});  // it counts in the kernel: see Tracer
  return true;
}

void AllocTracing::detach() {
  if (windows_ && windows_->is_open()) close();
}

// ---- cost ----

std::vector<dwell_hits> AllocTracing::hits() const {
  return read_hits(bpf_map__fd(program_->object->maps.hits), prices_.size());
}

double AllocTracing::trap_ns() const {
  std::vector<dwell_hits> all = hits();
  double cost = 0;
  for (std::size_t probe = 0; probe < prices_.size(); ++probe)
    cost += static_cast<double>(all[probe].entries) * prices_[probe];
  return cost;
}

KnownTime AllocTracing::counted_bpf_ns() const {
  return time_of_all_runs(run_time_of(std::array{bpf_program__fd(program_->object->progs.on_span)}), all_hits());
}

double AllocTracing::bpf_ns() const {
  KnownTime counted = counted_bpf_ns();
  return counted ? static_cast<double>(*counted) : kAllocProgramNs * static_cast<double>(all_hits());
}

std::uint64_t AllocTracing::all_hits() const {
  std::uint64_t all = 0;
  for (const dwell_hits& one : hits()) all += one.entries;
  return all;
}

double AllocTracing::target_ns(std::uint64_t now_ns) const {
  double sum = kGoIdleShare * static_cast<double>(now_ns - start_ns_);
  for (const auto& [slot, process] : processes_)
    sum += static_cast<double>(process_cpu_ns(process.pid).value_or(process.cpu_at_start_ns) -
                               process.cpu_at_start_ns);
  return sum;
}

TracerCost AllocTracing::cost() {
  return {all_hits(), to_count(trap_ns() + (windows_ ? windows_->toggles_ns() : 0)), counted_bpf_ns()};
}

// ---- the recording ----

GoAllocs AllocTracing::allocs(std::uint64_t now_ns) {
  GoAllocs allocs;
  allocs.time_ns = start_ns_;
  allocs.duration_ns = now_ns - start_ns_;
  allocs.watched_ns = std::min(windows_->watched_ns(now_ns), allocs.duration_ns);
  allocs.windows = windows_->windows();
  TracerCost spent = cost();
  allocs.probe_hits = spent.probe_hits;
  allocs.trap_ns = spent.trap_ns;
  allocs.bpf_ns = stored_time(spent.bpf_ns);
  allocs.lost = program_->object->bss->lost + samples_.forgotten();
  allocs.notes = notes_;
  for (const auto& [slot, process] : processes_) {
    if (!process.fates) continue;
    allocs.collections += process.fates->collections();
    allocs.missed += process.fates->missed();
  }
  double watched = static_cast<double>(std::max<std::uint64_t>(allocs.watched_ns, 1)) /
                   static_cast<double>(std::max<std::uint64_t>(allocs.duration_ns, 1));
  if (watched > 0.99) watched = 1;  // no more than the beginning and the end
  for (const auto& [site, figures] : samples_.figures(watched)) {
    GoAllocFacts& facts = allocs.sites.emplace_back();
    facts.stack = site.stack ? context_.stacks.find(site.stack, 0) : StackId::kUnknown;
    facts.process = site.process;
    facts.samples = figures.samples;
    facts.live_samples = figures.live_samples;
    facts.alloc_objects = to_count(figures.allocated.objects);
    facts.alloc_bytes = to_count(figures.allocated.bytes);
    facts.alloc_bytes_error = to_count(figures.allocated.bytes_error);
    facts.inuse_objects = to_count(figures.in_use.objects);
    facts.inuse_bytes = to_count(figures.in_use.bytes);
    facts.inuse_bytes_error = to_count(figures.in_use.bytes_error);
  }
  return allocs;
}

Result<void> AllocTracing::write_live(std::uint64_t now_ns) {
  if (!windows_) return {};
  for (auto& [slot, process] : processes_)
    if (process.fates && !process.ended) process.fates->look(samples_);
  return write_go_allocs(context_.writer, allocs(now_ns));
}

}  // namespace dwell
