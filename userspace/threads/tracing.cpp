// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/tracing.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bpf/probe_shapes.h"
#include "bpf/thread_life.h"
#include "symbolizer/elf_file.h"
#include "thread_life.skel.h"
#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/probes/detach_together.h"
#include "userspace/record/look_budget.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/own_run_time.h"
#include "userspace/threads/codec.h"

namespace dwell {
namespace {

constexpr const char* kWhat = "threads";

struct ThreadFunction {
  std::string_view name;
  dwell_thread_call call;
};
constexpr ThreadFunction kFunctions[] = {
    {"pthread_create", DWELL_CALL_PTHREAD_CREATE},       {"pthread_join", DWELL_CALL_PTHREAD_SETTLE},
    {"pthread_timedjoin_np", DWELL_CALL_PTHREAD_SETTLE}, {"pthread_clockjoin_np", DWELL_CALL_PTHREAD_SETTLE},
    {"pthread_detach", DWELL_CALL_PTHREAD_SETTLE},
};

// The C library, or a program that has it inside.
bool may_have_threads(const Mapping& mapping, const ElfFile& elf) {
  std::string_view name = std::string_view(mapping.path).substr(mapping.path.rfind('/') + 1);
  for (std::string_view start : {"libc.so", "libc-", "libpthread", "ld-musl", "libc.musl"})
    if (name.starts_with(start)) return true;
  return name.find(".so") == name.npos && !elf.has_interpreter();
}

std::vector<ProbeSite> sites_in(const ElfFile& elf, const std::string& open_path, const std::string& path) {
  std::vector<ProbeSite> sites;
  std::set<std::uint64_t> known;
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (!symbol.defined || symbol.type != STT_FUNC) continue;
    for (const ThreadFunction& function : kFunctions) {
      std::optional<std::uint64_t> offset;
      if (symbol.name == function.name) offset = elf.offset_of_vaddr(symbol.vaddr);
      if (!offset || !known.insert(*offset).second) continue;
      ProbeSite site;
      site.path = open_path;
      site.name = fmt::format("{} in {}", function.name, path);
      site.candidates = {{*offset, dwell_probe_cookie(function.call, 0, 8, 0)}};
      sites.push_back(std::move(site));
    }
  }
  return sites;
}

ThreadEnd end_of(std::uint32_t join) {
  if (join == DWELL_JOIN_EXPECTED) return ThreadEnd::kToBeJoined;
  return join == DWELL_JOIN_DETACHED ? ThreadEnd::kDetached : ThreadEnd::kUnknown;
}

}  // namespace

struct ThreadTracing::Program {
  std::unique_ptr<::thread_life, FreeWith<thread_life__destroy>> object;
  std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>> new_threads;
};

Result<std::unique_ptr<ThreadTracing::Program>> ThreadTracing::load_program(const TraceCore& core, AttachMethod method) {
  auto program = std::make_unique<Program>();
  program->object.reset(thread_life__open());
  if (!program->object) return load_error(kWhat, errno);
  ::thread_life& object = *program->object;
  if (Result<void> adopted = core.adopt(object.obj); !adopted) return adopted.error();
  set_probe_role(object.progs.on_call, ProbeRole::kEntry, method);
  if (int err = thread_life__load(&object)) return load_error(kWhat, -err);
  program->new_threads.reset(bpf_program__attach(object.progs.on_new_thread));
  if (!program->new_threads) return load_error(kWhat, errno);
  return program;
}

Result<void> ThreadTracing::try_program(const TraceCore& core, AttachMethod method) {
  Result<std::unique_ptr<Program>> program = load_program(core, method);
  return program ? Result<void>() : program.error();
}

TracerLoader ThreadTracing::loader(const ThreadTracingOptions& options) {
  return [options](const TracerContext& context) { return load(context, options); };
}

Result<std::unique_ptr<Tracer>> ThreadTracing::load(const TracerContext& context, const ThreadTracingOptions& options) {
  std::unique_ptr<Program> created;
  if (options.created) {
    Result<std::unique_ptr<Program>> program = load_program(context.core, *context.calibration.abilities.best);
    if (!program) return program.error();
    created = std::move(*program);
  }
  std::unique_ptr<ThreadTracing> tracing(new ThreadTracing(context, options, std::move(created)));
  if (options.blocked) {
    Result<BlockedTime> blocked = BlockedTime::load(context.core);
    if (!blocked && blocked.error().exit != Exit::kUnsupported) return blocked.error();
    if (blocked)
      tracing->blocked_.emplace(std::move(*blocked));
    else
      context.note("missing in this recording: " + blocked.error().what + "; hint: " + blocked.error().hint);
  }
  return std::unique_ptr<Tracer>(std::move(tracing));
}

ThreadTracing::ThreadTracing(const TracerContext& context, const ThreadTracingOptions& options,
                             std::unique_ptr<Program> program)
    : context_(context), options_(options), program_(std::move(program)), ledger_(context.start_ns) {}
ThreadTracing::~ThreadTracing() = default;

// ---- processes and their probes ----

Result<void> ThreadTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  processes_.insert_or_assign(slot, Process{facts.pid, links_of(facts.pid), {}});
  if (slot == 0 && context_.options.command.empty()) look_before_all();
  return {};
}

// Time before the recording began is in no sum of blocked time.
void ThreadTracing::begin(std::uint64_t now_ns) {
  recording_began_ns_ = now_ns;
  if (options_.looks && processes_.size() > 1)
    context_.note(fmt::format("snapshots of threads are taken of process {} alone; of others: dwell threads PID...", processes_.begin()->second.pid));
  if (!blocked_) return;
  Result<void> attached = blocked_->attach();
  if (attached) return assume_waiting();
  context_.note("missing in this recording: " + attached.error().what + "; hint: " + attached.error().hint);
  blocked_.reset();
}

void ThreadTracing::end() {
  if (blocked_) blocked_->detach();
}

std::unique_ptr<ProbeLinks> ThreadTracing::links_of(pid_t pid) const {
  ProbePrograms programs;
  if (program_) programs.entry = bpf_program__fd(program_->object->progs.on_call);
  return std::make_unique<ProbeLinks>(*context_.calibration.abilities.best, programs, pid);
}

// Beside something else, threads that can be looked at are no reason to record.
Result<void> ThreadTracing::require_probes(const ProcessFacts& facts) {
  if (options_.asked_for) return {};
  return Error{fmt::format("nobody asked for the threads of PID {}", facts.pid), "", Exit::kUnsupported};
}

Result<void> ThreadTracing::mapped(ProcessSlot slot, const std::vector<Mapping>& mappings, bool late) {
  Process& process = processes_.at(slot);
  if (slot == 0 && late) observer_.reset();
  std::vector<ProbeSite> sites;
  std::vector<CodeRange> code;
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file()) continue;
    if (std::int32_t module = context_.modules.find(mapping.device(), mapping.inode); module >= 0)
      code.push_back({mapping.start, mapping.end, mapping.file_offset, static_cast<std::uint32_t>(module)});
    if (!program_ || !follows_creations_ || !process.inspected.insert({mapping.device(), mapping.inode}).second) continue;
    Result<std::string> path = path_to_open(process.pid, mapping);
    if (!path) continue;
    Result<ElfFile> elf = ElfFile::open(*path);
    if (!elf || !may_have_threads(mapping, *elf)) continue;
    for (ProbeSite& site : sites_in(*elf, *path, mapping.path)) sites.push_back(std::move(site));
  }
  process.code.replace(std::move(code));
  if (sites.empty()) return {};
  // Without them threads are seen all the same, only not who was joined.
  Result<std::vector<AttachedSite>> attached = process.links->attach(sites);
  if (!attached) {
    if (attached.error().exit == Exit::kNoTarget) return attached.error();
    context_.note("which threads are joined can't be told: " + attached.error().what);
    return {};
  }
  if (late) late_probes_ += sites.size();
  for (std::size_t i = 0; i < sites.size(); ++i)
    if ((*attached)[i].candidate < 0)
      context_.note(fmt::format("{} could not be probed: {}", sites[i].name, (*attached)[i].failure));
  return {};
}

void ThreadTracing::forget_probes(ProcessSlot slot) {
  Process& process = processes_.at(slot);
  process.inspected.clear();
  std::unique_ptr<ProbeLinks> old = std::exchange(process.links, links_of(process.pid));
  if (context_.calibration.abilities.best == AttachMethod::kPerf) closing_.close(std::move(old));
}

void ThreadTracing::detach() {
  std::vector<ProbeLinks*> all;
  for (auto& [slot, process] : processes_) all.push_back(process.links.get());
  detach_together(all);
  if (program_) program_->new_threads.reset();
  ending_ = true;
}

// ---- events ----

void ThreadTracing::on_process_event(const ProcessNews& news) {
  switch (news.kind) {
    case ProcessNews::Kind::kThreadExited:
      ledger_.ended(news.time_ns, news.process, news.tid);
      break;
    case ProcessNews::Kind::kExited:
    case ProcessNews::Kind::kExecuted:
      ledger_.process_ended(news.process);
      break;
    case ProcessNews::Kind::kForked:
    case ProcessNews::Kind::kForkedBelow:
    case ProcessNews::Kind::kSpawned:
      break;
  }
}

std::uint32_t ThreadTracing::routine_of(ProcessSlot slot, std::uint64_t address) const {
  auto process = processes_.find(slot);
  if (!address || process == processes_.end() || !process->second.code.covers(address)) return 0;
  return context_.writer.add_location(process->second.code.locate(address, false)) + 1;
}

std::uint64_t ThreadTracing::skipped_runs() const {
  return (program_ ? skipped_runs_of(program_->object->obj) : 0) + (blocked_ ? blocked_->skipped_runs() : 0);
}

bool ThreadTracing::decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> bytes) {
  if (header.type == DWELL_THREAD_CREATED && bytes.size() >= sizeof(dwell_thread_created)) {
    dwell_thread_created record;
    std::memcpy(&record, bytes.data(), sizeof record);
    StackId stack = record.stack ? context_.stacks.find(record.stack, 0) : StackId::kUnknown;
    creations_.created();
    ledger_.created({record.time_ns, process, record.tid, end_of(record.join), record.thread_pointer,
                     stack, routine_of(process, record.routine)});
    return true;
  }
  if (header.type == DWELL_THREAD_SETTLED && bytes.size() >= sizeof(dwell_thread_settled)) {
    dwell_thread_settled record;
    std::memcpy(&record, bytes.data(), sizeof record);
    ledger_.settled(process, record.thread_pointer);
    return true;
  }
  return false;
}

// ---- looks ----

// The first look has all of the program's tables and names to read, which takes long in a large one: it is taken before there
// are probes, whose events would wait.
void ThreadTracing::look_before_all() {
  if (!options_.looks) return;
  Result<ThreadObserver*> eyes = observer();
  Result<ThreadLook> seen = eyes ? (*eyes)->look() : Result<ThreadLook>(eyes.error());
  if (seen)
    first_look_ = std::move(*seen);
  else if (options_.asked_for)
    context_.note("no snapshot of its threads: " + seen.error().what);
}

// Who creates threads is not worth more than a fiftieth of the program's time to somebody who did not ask for it.
void ThreadTracing::spare_target(std::uint64_t now_ns) {
  if (!program_ || !follows_creations_ || options_.asked_for) return;
  std::uint64_t cpu_ns = 0;
  for (const auto& [slot, process] : processes_) cpu_ns += process_cpu_ns(process.pid).value_or(0);
  if (!creations_.too_dear(now_ns, cpu_ns)) return;
  follows_creations_ = false;
  for (auto& [slot, process] : processes_) process.links->detach();
  program_->new_threads.reset();
  context_.note("threads are created too often to record who creates each within 2% of the target's CPU time: those created from "
                "here on are not counted; --only threads counts all");
}

Result<void> ThreadTracing::poll(std::uint64_t now_ns) {
  spare_target(now_ns);
  if (!options_.looks) return {};
  std::optional<std::uint64_t> every_ns = context_.options.look_every_ns;
  if (!began_ns_) {
    // What was just started has much to do first.
    began_ns_ = now_ns;
    look_due_ns_ = now_ns + every_ns.value_or(first_look_ ? look_pause_ns(0, first_look_->duration_ns) : kSecond);
    std::optional<ThreadLook> first = std::exchange(first_look_, std::nullopt);
    return first ? write_thread_look(context_.writer, *first) : Result<void>();
  }
  if (now_ns < look_due_ns_) return {};
  Result<void> looked = look();
  look_due_ns_ = now_ns + every_ns.value_or(look_pause_ns(now_ns - began_ns_, monotonic_ns() - now_ns));
  return looked;
}

Result<ThreadObserver*> ThreadTracing::observer() {
  if (!observer_) {
    Result<ThreadObserver> observer = ThreadObserver::open(processes_.at(0).pid, context_.writer);
    if (!observer) return observer.error();
    observer_.emplace(std::move(*observer));
  }
  return &*observer_;
}

Result<void> ThreadTracing::look() {
  Result<ThreadObserver*> eyes = observer();
  if (!eyes) {
    context_.note("no snapshot of its threads: " + eyes.error().what);
    return {};
  }
  // It may be ending; whoever records it will tell.
  Result<ThreadLook> seen = (*eyes)->look();
  return seen ? write_thread_look(context_.writer, *seen) : Result<void>();
}

BlockedSites ThreadTracing::blocked_sites(std::uint64_t now_ns) const {
  BlockedSites blocked{now_ns, {}, {}};
  std::map<ThreadSite, std::size_t> known;
  std::map<std::pair<std::size_t, Waker>, std::size_t> wakes;
  for (const BlockedSum& sum : blocked_->read(now_ns)) {
    StackId stack = sum.site.known ? static_cast<StackId>(sum.site.stack) : stack_of(sum.site.stack);
    auto [at, fresh] = known.try_emplace({sum.site.process, stack}, blocked.sites.size());
    if (fresh) blocked.sites.push_back({at->first, 0, 0});
    blocked.sites[at->second].ns += sum.ns;
    blocked.sites[at->second].times += sum.times;
    if (sum.waits) continue;
    auto [wake, first] = wakes.try_emplace({at->second, waker_of(sum)}, blocked.wakes.size());
    if (first) blocked.wakes.push_back({at->second, wake->first.second, 0, 0});
    blocked.wakes[wake->second].ns += sum.ns;
    blocked.wakes[wake->second].times += sum.times;
  }
  return blocked;
}

StackId ThreadTracing::stack_of(std::uint64_t identity) const {
  return identity ? context_.stacks.find(identity, 0) : StackId::kUnknown;
}

Waker ThreadTracing::waker_of(const BlockedSum& sum) const {
  Waker waker{static_cast<WakerKind>(sum.site.waker_kind), {}, 0, sum.waker.name};
  if (waker.kind == WakerKind::kThread) waker.site = {sum.site.waker_process, stack_of(sum.site.waker)};
  if (waker.kind == WakerKind::kOutside) waker.pid = sum.waker.pid;
  // "kworker/0:2-events": which of them it was is chance.
  if (waker.kind == WakerKind::kKernel) waker.name.resize(std::min(waker.name.find('/'), waker.name.size()));
  return waker;
}

// Threads that have been blocked since before the recording began were never seen to block.
void ThreadTracing::assume_waiting() {
  Result<ThreadObserver*> eyes = observer();
  auto look = [&]() -> Result<ThreadLook> {
    return eyes ? (*eyes)->look() : Result<ThreadLook>(eyes.error());
  };
  auto waits = [](const ThreadFacts& thread) {
    return thread.state == ThreadState::kSleeping || thread.state == ThreadState::kUninterruptible;
  };
  Result<ThreadLook> seen = look();
  if (!seen) {
    context_.note("threads that waited already are in no sum of blocked time: " + seen.error().what);
    return;
  }
  std::map<Tid, Tid> kernel_tids;
  for (const ThreadFacts& thread : seen->threads) {
    if (!waits(thread)) continue;
    Tid kernel_tid = kernel_tids[thread.tid] = (*eyes)->kernel_tid(thread.tid);
    blocked_->assume(kernel_tid, 0, static_cast<std::uint64_t>(thread.stack), std::max(recording_began_ns_, thread.since_ns));
  }
  Result<ThreadLook> later = look();
  for (const ThreadFacts& thread : seen->threads) {
    auto same = [&](const ThreadFacts& now) {
      return now.tid == thread.tid && waits(now) && now.voluntary_switches == thread.voluntary_switches &&
             now.involuntary_switches == thread.involuntary_switches;
    };
    if (waits(thread) && (!later || std::ranges::none_of(later->threads, same)))
      blocked_->forget_assumed(kernel_tids[thread.tid]);
  }
}

Result<void> ThreadTracing::write_blocked(std::uint64_t now_ns) {
  if (std::uint64_t lost = blocked_->lost())
    context_.note(
        fmt::format("{} waits are in no sum of blocked time: too many threads or stacks at once", lost));
  return write_blocked_sites(context_.writer, blocked_sites(now_ns));
}

// ---- the recording ----

Result<void> ThreadTracing::write_tick(std::uint64_t now_ns) {
  if (!program_) return {};
  ThreadTick tick = ledger_.take_tick(now_ns);
  return write_thread_tick(context_.writer, tick);
}

Result<void> ThreadTracing::write_live(std::uint64_t now_ns) {
  if (blocked_)
    if (Result<void> written = write_blocked(now_ns); !written) return written;
  if (ending_ && options_.looks && !process_has_ended(processes_.at(0).pid))
    if (Result<void> looked = look(); !looked) return looked;
  if (!program_) return {};
  return write_live_threads(context_.writer, {now_ns, ledger_.live_threads()});
}

TracerCost ThreadTracing::cost() {
  std::uint64_t ns = program_ ? own_run_time_ns(bpf_map__fd(program_->object->maps.run_times)) : 0;
  if (blocked_) ns += blocked_->run_time_ns();
  return {0, 0, ns};
}

}  // namespace dwell
