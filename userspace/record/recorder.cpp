// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/recorder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <set>

#include "userspace/base/clock.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/memory_limit.h"
#include "userspace/base/output_file.h"
#include "userspace/base/text.h"
#include "userspace/record/look_budget.h"
#include "userspace/record/machine.h"
#include "userspace/record/symbols.h"
#include "userspace/recording/late_probes.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

// Shares of the memory limit. Above the first, new stacks are cut; above the second, the recording is ended, so that
// enough is left to write what is still there, and to name it.
constexpr double kShareToCut = 0.4, kShareToEnd = 0.6;
constexpr std::size_t kFramesWhenShort = 8;
constexpr std::size_t kMostNotes = 1000;  // a target may give cause for more
constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kCaughtUp = 4096;  // fewer records than that at once: nothing has piled up
constexpr std::uint64_t kSoonestCureNs = 20 * kMillisecond;
constexpr std::uint64_t kPollNs = 50 * kMillisecond;
constexpr std::uint64_t kProgressNs = 250 * kMillisecond;
// The kernel counts the run time of BPF programs for a moment now and then: it makes each run dearer.
constexpr std::uint64_t kRunTimeWindowNs = 200 * kMillisecond;
constexpr std::uint64_t kRunTimeEveryNs = 10 * kSecond;
constexpr std::uint64_t kMemoryEveryNs = 200 * kMillisecond;

RecordingInfo describe(const RecordOptions& options, const ProcessFacts& target) {
  RecordingInfo info = describe_recording(options.command_line, target);
  info.sample_period_bytes = options.sample_bytes;
  info.started_by_dwell = !options.command.empty();
  return info;
}

std::string file_name_for(const ProcessFacts& target) {
  return unused_name(fmt::format("{}.{}", safe_name(target.name, "recording"), target.pid), ".dwell");
}

// Mapped in the same place when the process was looked at last: a library that comes and goes.
bool is_known(const std::vector<Mapping>& known, const NewMapping& fresh) {
  auto found = std::lower_bound(known.begin(), known.end(), fresh.start,
                                [](const Mapping& mapping, std::uint64_t start) { return mapping.start < start; });
  return found != known.end() && found->start == fresh.start && found->end == fresh.start + fresh.size &&
         found->inode == fresh.inode && found->file_offset == fresh.file_offset && found->path == fresh.path;
}

}  // namespace

struct Recorder::Process {
  ProcessSlot slot;
  TargetSlot target;
  ProcessInfo info;
  AddressSpace code;
  UniqueFd pidfd;
  std::uint64_t cpu_at_start_ns = 0, cpu_ns = 0;
  std::uint64_t synced_ns = 0, sync_took_ns = 0;
  std::vector<Mapping> mapped;       // executable files, at that time
  LookBudget budget;
  std::uint64_t news_since_ns = 0;   // it has mapped something that was not looked at yet; 0: nothing
  ProgramChange change;
  pid_t tied_to = 0;   // the thread by which perf uprobes find its memory
  bool blind = false;  // the kernel ties its probes to a thread that is gone
  bool ended = false;
};

Recorder::Recorder(const RecordOptions& options, const RecordCallbacks& callbacks,
                   const Calibration& calibration, std::string path, TraceCore core, UnwindTables unwind,
                   MmapWatch mmap_watch, RecordingWriter writer, std::uint64_t start_ns)
    : options_(options),
      callbacks_(callbacks),
      calibration_(calibration),
      path_(std::move(path)),
      start_ns_(start_ns),
      core_(std::move(core)),
      unwind_(std::move(unwind)),
      mmap_watch_(std::move(mmap_watch)),
      writer_(std::move(writer)),
      modules_(writer_),
      stacks_(writer_),
      decoder_(stacks_, writer_,
               {[this](const ProcessNews& news) { handle(news); },
                [this](TargetSlot slot, dwell_stack_end end, std::uint64_t pc) { cure(slots_.owner(slot), end, pc); },
                [this](TargetSlot target) -> const AddressSpace& {
                  static const AddressSpace nowhere;
                  ProcessSlot slot = slots_.owner(target);
                  return slot < processes_.size() ? processes_[slot]->code : nowhere;
                },
                [this](const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) {
                  return std::any_of(tracers_.begin(), tracers_.end(),
                                     [&](auto& tracer) { return tracer->decode(header, process, record); });
                },
                [this](TargetSlot slot) { return slots_.owner(slot); }}),
      schedule_(start_ns),
      losses_(start_ns),
      children_(options.follow_forks),
      guardrail_(options.detach_above_percent) {
  core_.set_handler([this](const void* data, std::size_t size) { decoder_.decode(data, size); });
}

Recorder::~Recorder() = default;

Result<std::unique_ptr<Recorder>> Recorder::open(const RecordOptions& options,
                                                 const RecordCallbacks& callbacks, const ProcessFacts& target,
                                                 const Calibration& calibration,
                                                 const std::vector<Mapping>& mappings) {
  Result<MmapWatch> mmap_watch = MmapWatch::open();
  if (!mmap_watch) return mmap_watch.error();

  UnwindTables unwind;
  unwind.sync(target.pid, ProcessSlot{0}, mappings);
  TraceCoreSettings settings{options.ring_bytes, unwind.sizes_to_load()};
  Result<TraceCore> core = TraceCore::load(settings);
  if (!core) return core.error();
  if (Result<void> bound = unwind.bind(core->unwind_maps(), settings.unwind_sizes); !bound)
    return bound.error();

  std::string path = options.output.empty() ? file_name_for(target) : options.output;
  Result<std::optional<std::string>> old = set_aside(path);
  if (!old) return old.error();
  if (*old && callbacks.note) callbacks.note(fmt::format("{} was there: it is {} now", path, **old));
  RecordingInfo info = describe(options, target);
  Result<RecordingWriter> writer = RecordingWriter::create(path, info);
  if (!writer) return writer.error();
  std::unique_ptr<Recorder> recorder(new Recorder(options, callbacks, calibration, path, std::move(*core),
                                                  std::move(unwind), std::move(*mmap_watch),
                                                  std::move(*writer), info.start_monotonic_ns));
  recorder->old_path_ = *old;
  if (Result<void> loaded = recorder->load_tracers(); !loaded) return recorder->abandon(loaded.error());
  return recorder;
}

Result<void> Recorder::load_tracers() {
  TracerContext context{options_, calibration_, start_ns_,
                        core_,    writer_,      stacks_,
                        modules_, next_probe_,  refused_probes_, [this](const std::string& text) { note(text); }};
  std::optional<Error> first_error;
  for (const TracerLoader& load : options_.tracers) {
    Result<std::unique_ptr<Tracer>> tracer = load(context);
    if (tracer) {
      if ((*tracer)->counts_in_kernel()) slots_.never_reuse();
      tracers_.push_back(std::move(*tracer));
      continue;
    }
    // What this kernel lacks costs what needs it, not the recording.
    if (tracer.error().exit != Exit::kUnsupported) return tracer.error();
    if (!first_error) first_error = tracer.error();
    note("missing in this recording: " + tracer.error().what + "; hint: " + tracer.error().hint);
  }
  if (tracers_.empty() && first_error) return *first_error;
  return {};
}

// ---- processes ----

Result<Recorder::Process*> Recorder::add_process(const ProcessFacts& facts, std::int32_t parent) {
  auto process = std::make_unique<Process>();
  process->slot = static_cast<ProcessSlot>(processes_.size());
  process->pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, facts.pid, 0)));
  if (!process->pidfd.valid()) {
    Error error = system_error(fmt::format("follow PID {}", facts.pid), errno);
    if (errno == ESRCH) error.exit = Exit::kNoTarget;
    return error;
  }
  process->cpu_at_start_ns = process->cpu_ns = process_cpu_ns(facts.pid).value_or(0);
  process->info.pid = facts.pid;
  process->info.parent = parent;
  process->info.name = facts.name;
  process->info.command_line = facts.command_line;
  process->info.start_ns = monotonic_ns();
  std::optional<TargetSlot> target = slots_.take(process->slot);
  if (!target) return Error{fmt::format("follow PID {}: too many processes at once", facts.pid), ""};
  process->target = *target;
  processes_.push_back(std::move(process));
  Process& added = *processes_.back();
  mmap_watch_.watch(facts.pid);
  if (Result<void> marked = core_.add_target(facts.pid, added.target); !marked) return marked.error();
  for (auto& tracer : tracers_)
    if (Result<void> told = tracer->added(added.slot, facts); !told) return told.error();
  return &added;
}

Result<void> Recorder::attach(const ProcessFacts& facts) {
  Result<Process*> process = add_process(facts, -1);
  if (!process) return process.error();
  writer_.set_process((*process)->slot, (*process)->info);
  if (Result<void> synced = sync(**process); !synced) return synced;
  return expect_something(facts);
}

// Where one tracer finds nothing, another may.
Result<void> Recorder::expect_something(const ProcessFacts& facts) {
  std::optional<Error> none;
  std::vector<std::string> news;
  bool any = false;
  for (auto& tracer : tracers_) {
    Result<void> something = tracer->expect_something(facts);
    any = any || something;
    if (something) continue;
    if (!none) none = something.error();
    if (!tracer->in_case()) news.push_back(something.error().what);
  }
  if (!any) return *none;
  for (const std::string& text : news) note(text);
  return {};
}

Result<void> Recorder::attach(LaunchedProgram& program, const ProcessFacts& facts) {
  Result<Process*> process = add_process(facts, -1);
  if (!process) return process.error();
  writer_.set_process((*process)->slot, (*process)->info);
  if (Result<void> ran = program.load([&] { return sync(**process); }); !ran) return ran;
  launched_ = &program;
  for (auto& tracer : tracers_)
    if (Result<void> something = tracer->expect_something(facts); !something && !tracer->in_case())
      note("before the program's first instruction: " + something.error().what);
  return program.release();
}

Result<void> Recorder::sync(Process& process) {
  std::uint64_t began_ns = monotonic_ns();
  std::uint64_t since_ns = std::exchange(process.news_since_ns, 0);
  std::size_t skipped_lines = 0;
  process.tied_to = living_thread(static_cast<pid_t>(process.info.pid));
  Result<std::vector<Mapping>> mappings = read_maps(process.info.pid, &skipped_lines);
  if (!mappings) return mappings.error();
  lost_map_lines_ += skipped_lines;
  std::uint64_t read_ns = monotonic_ns();
  process.code.replace(modules_.code_of(process.info.pid, *mappings));
  UnwindSync unwind = unwind_.sync(process.info.pid, process.target, *mappings);
  bool ended = !unwind.problems.empty() && process_has_ended(static_cast<pid_t>(process.info.pid));
  if (ended) unwind.problems.clear();  // that is why
  for (const UnwindProblem& problem : unwind.problems)
    note_once(fmt::format("no unwind tables for {}: {}", problem.path, problem.reason));
  if (std::ranges::any_of(tracers_, [](const auto& tracer) { return tracer->begins_behind_system_calls(); }))
    expect_waits(process.target, *mappings);
  process.synced_ns = monotonic_ns();
  process.sync_took_ns = process.synced_ns - began_ns;
  bool late_probes = false;
  for (auto& tracer : tracers_) {
    std::uint64_t before = tracer->late_probes();
    if (Result<void> told = tracer->mapped(process.slot, *mappings, watching_); !told) return told;
    late_probes = late_probes || tracer->late_probes() != before;
  }
  std::uint64_t now_ns = monotonic_ns();
  // A file is made known once, however large it is; looking again and again is what must not take long.
  bool new_files = late_probes || unwind.modules_loaded || unwind.modules_from_cache;
  process.budget.spent(began_ns, new_files ? read_ns : now_ns);
  process.mapped = std::move(*mappings);
  std::erase_if(process.mapped, [](const Mapping& mapping) { return !mapping.executable || !mapping.is_file(); });
  if (process.change.pending())
    process.change.caught_up(now_ns, unwind.changed, late_probes);
  else if (late_probes && since_ns)
    write_late(now_ns - std::min(now_ns, since_ns));
  return {};
}

// Threads wait behind the system calls of the C library, or of a program that has it inside, where no call
// ends.
void Recorder::expect_waits(TargetSlot slot, const std::vector<Mapping>& mappings) {
  bool dynamic = false;
  const Mapping* program = nullptr;
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file()) continue;
    if (!program) program = &mapping;
    std::string_view name = std::string_view(mapping.path).substr(mapping.path.rfind('/') + 1);
    if (!name.starts_with("libc.") && !name.starts_with("libc-") && !name.starts_with("libpthread") &&
        !name.starts_with("ld-musl"))
      continue;
    dynamic = true;
    (void)unwind_.load_full(slot, mapping.start);
  }
  if (program && !dynamic) (void)unwind_.load_full(slot, program->start);
}

Error Recorder::abandon(const Error& cause) {
  ::unlink(path_.c_str());
  if (old_path_) ::renameat2(AT_FDCWD, old_path_->c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
  if (processes_.empty() || !all_ended()) return cause;
  return {fmt::format("trace PID {}: it ended before anything was recorded", processes_[0]->info.pid), "",
          Exit::kNoTarget};
}

// ---- while it runs ----

Result<void> Recorder::watch(StopSignals& signals) {
  try {
    return watch_events(signals);
  } catch (const std::bad_alloc&) {
    end_.reason = "there was no more memory for dwell";  // what is known by now is worth writing
    return {};
  }
}

Result<void> Recorder::watch_events(StopSignals& signals) {
  // Where mappings come in a storm, the second one waits without them.
  UniqueFd all(::epoll_create1(EPOLL_CLOEXEC)), but_mappings(::epoll_create1(EPOLL_CLOEXEC));
  for (int fd : {signals.fd(), core_.ring_fd(), mmap_watch_.fd()}) {
    epoll_event interest{};
    interest.events = EPOLLIN;
    interest.data.fd = fd;
    if (::epoll_ctl(all.get(), EPOLL_CTL_ADD, fd, &interest)) return system_error("wait for events", errno);
    if (fd != mmap_watch_.fd() && ::epoll_ctl(but_mappings.get(), EPOLL_CTL_ADD, fd, &interest))
      return system_error("wait for events", errno);
  }
  Pace pace;
  std::uint64_t gather_until_ns = 0;
  std::uint64_t last_progress_ns = 0;
  const std::uint64_t watching_since_ns = monotonic_ns();  // to attach can take as long as a short recording
  watching_ = true;
  while (end_.reason.empty()) {
    epoll_event ready[4];
    std::uint64_t before_ns = monotonic_ns();
    std::uint64_t gather_ns = gather_until_ns - std::min(gather_until_ns, before_ns);
    ::epoll_wait(gather_ns ? but_mappings.get() : all.get(), ready, 4,
                 static_cast<int>((gather_ns ? gather_ns : kPollNs) / kMillisecond));
    // Mappings first: a stack may already lead into code that arrived a moment ago.
    if (MappingNews news = mmap_watch_.take(); !news.empty()) {
      handle(news);
      gather_until_ns = pace.after_news(monotonic_ns());
    }
    look_again();
    if (Result<std::size_t> drained = core_.consume(); !drained) return drained.error();
    std::uint64_t now_ns = monotonic_ns();
    count_run_time(now_ns);
    for (auto& process : processes_) note_gap(*process);
    guard_memory(now_ns);
    for (auto& tracer : tracers_)
      if (Result<void> polled = tracer->poll(now_ns); !polled) return polled;
    if (schedule_.tick_due(now_ns)) {
      if (Result<void> ticked = tick(now_ns); !ticked) return ticked;
    }
    if (now_ns - last_progress_ns >= kProgressNs) {
      tell_progress(now_ns);
      spare_target(now_ns);
      last_progress_ns = now_ns;
    }
    if (!end_.reason.empty()) break;
    if (signals.arrived()) end_.reason = "interrupted";
    if (options_.duration_ns && now_ns - watching_since_ns >= *options_.duration_ns)
      end_.reason = "the time was over";
    if (all_ended()) end_.reason = "the target ended";
  }
  return {};
}

void Recorder::handle(const ProcessNews& news) {
  if (news.process >= processes_.size()) return handle_of_nobody(news);
  for (auto& tracer : tracers_) tracer->happened(news);
  Process& process = *processes_[news.process];
  switch (news.kind) {
    case ProcessNews::Kind::kForked:
    case ProcessNews::Kind::kForkedBelow:
      children_.forked();
      if (options_.follow_forks) follow(process.slot, news);
      break;
    case ProcessNews::Kind::kSpawned:
      children_.spawned();
      break;
    case ProcessNews::Kind::kExecuted:
      process.blind = process.blind || news.other_id == DWELL_EXEC_BY_ANOTHER_THREAD;
      on_exec(process, ProgramChange::Messenger::kRing, news.time_ns);
      break;
    case ProcessNews::Kind::kExited:
      ended(process, news.time_ns);
      break;
    case ProcessNews::Kind::kThreadExited:
      // The kernel takes its probes away at their next hit.
      if (news.tid != static_cast<std::uint32_t>(process.tied_to) || calibration_.abilities.best != AttachMethod::kPerf) break;
      process.blind = true;
      if (process.news_since_ns == 0) process.news_since_ns = news.time_ns;
      if (Result<void> tied = tie_again(process); !tied) note_once(tied.error().what);
      break;
  }
}

// Of a child that ended too early to be followed, and had its slot already.
void Recorder::handle_of_nobody(const ProcessNews& news) {
  if (news.kind == ProcessNews::Kind::kExited) slots_.give_back(news.target);
  if (news.kind == ProcessNews::Kind::kSpawned) children_.spawned();
  if (news.kind != ProcessNews::Kind::kForked && news.kind != ProcessNews::Kind::kForkedBelow) return;
  ProcessNews fork = news;
  fork.kind = ProcessNews::Kind::kForkedBelow;
  children_.forked();
  if (options_.follow_forks) follow(-1, fork);
}

void Recorder::handle(const MappingNews& news) {
  // First of all: what has just replaced its program runs without tables, and without probes in new files.
  for (const NewProgram& program : news.executed) {
    auto found = std::find_if(processes_.begin(), processes_.end(), [&](const auto& process) {
      return !process->ended && static_cast<pid_t>(process->info.pid) == program.pid;
    });
    if (found != processes_.end()) on_exec(**found, ProgramChange::Messenger::kWatch, program.time_ns);
  }
  lost_mapping_news_ += news.lost;
  for (auto& process : processes_) {
    if (process->ended) continue;
    auto is_new = [&](const NewMapping& mapping) {
      return mapping.pid == static_cast<pid_t>(process->info.pid) && !is_known(process->mapped, mapping);
    };
    auto first = std::find_if(news.mappings.begin(), news.mappings.end(), is_new);
    std::uint64_t since_ns = 0;
    if (first != news.mappings.end()) since_ns = first->time_ns;
    if (news.lost) since_ns = process->synced_ns;
    if (since_ns && process->news_since_ns == 0) process->news_since_ns = since_ns;
  }
}

void Recorder::look_again() {
  for (auto& process : processes_) {
    std::uint64_t now_ns = monotonic_ns();
    if (process->ended || process->news_since_ns == 0 || !process->budget.allows(now_ns)) continue;
    if (std::exchange(process->blind, false)) {
      for (auto& tracer : tracers_) tracer->forget_probes(process->slot);
      process->budget.spent(now_ns, monotonic_ns());
    }
    if (Result<void> synced = sync(*process); !synced) note_once(synced.error().what);
  }
}

Result<void> Recorder::tie_again(Process& process) {
  std::uint64_t since_ns = process.news_since_ns;
  process.blind = false;
  for (auto& tracer : tracers_) tracer->forget_probes(process.slot);
  if (Result<void> synced = sync(process); !synced) return synced;
  note(fmt::format("the thread of process {} ended to which its probes were tied: calls may be missing in the {:.1f} ms until "
                   "they were tied to another one",
                   process.info.pid, static_cast<double>(monotonic_ns() - since_ns) / 1e6));
  return {};
}

// The process runs on meanwhile: it is never stopped for us. Only what dwell itself has started is held, if it
// is still in its loader.
void Recorder::on_exec(Process& process, ProgramChange::Messenger by, std::uint64_t time_ns) {
  bool is_news = process.change.executed(by, time_ns);
  bool begun = false;
  auto begin_anew = [&] {
    if (std::exchange(begun, true)) return;
    // What is still in the ring happened in the program before, and its stacks lead into that one's code.
    if (is_news && by == ProgramChange::Messenger::kWatch) {
      if (Result<std::size_t> drained = core_.consume(); !drained) note_once(drained.error().what);
    }
    // The kernel's side has let go of the tables when the ring's record was made, not before.
    unwind_.drop(process.target);
    process.mapped.clear();
    if (is_news) process.code.replace({});
    if (process.news_since_ns == 0) process.news_since_ns = time_ns;
  };
  Result<bool> held = false;
  if (is_news && launched_ && process.slot == 0) {
    held = launched_->catch_after_exec([&] { return begin_anew(), sync(process); });
  } else {
    begin_anew();
    look_again();
  }
  if (!held) note_once(held.error().what);
  if (held && *held) process.change.nothing_missed();
  if (!is_news) return;
  if (Result<ProcessFacts> facts = read_process(static_cast<pid_t>(process.info.pid))) {
    process.info.name = facts->name;
    process.info.command_line = facts->command_line;
    writer_.set_process(process.slot, process.info);
  }
  process.code.forget_former();  // what waited in the ring from before has been read
}

void Recorder::note_gap(Process& process, bool at_the_end) {
  if (!process.change.pending()) return;
  if (process.news_since_ns && !at_the_end) return;  // it is not looked at yet
  std::optional<ProgramChange::Gap> gap = process.change.settled(monotonic_ns(), at_the_end);
  if (!gap) return;
  bool once = gap->execs == 1;
  note(fmt::format("process {} became another program, {}{}: {} in {} {:.1f} ms", process.info.pid, process.info.name,
                   once ? "" : fmt::format(", and {} more before", gap->execs - 1),
                   gap->missed_ns ? "calls may be missing, and stacks cut," : "stacks may be cut",
                   once ? "its first" : "their first moments, together",
                   static_cast<double>(std::max(gap->missed_ns, gap->cut_ns)) / 1e6));
  if (gap->missed_ns) write_late(gap->missed_ns);
}

void Recorder::write_late(std::uint64_t late_ns) {
  Loss loss{monotonic_ns(), kLateProbes, std::max<std::uint64_t>(late_ns / 1000, 1), late_ns};
  if (Result<void> written = writer_.write_losses(std::span(&loss, 1)); !written) note_once(written.error().what);
}

// A table that was left out is loaded; code that came by mprotect, as a JIT's does, is found by looking
// again.
void Recorder::cure(ProcessSlot slot, dwell_stack_end end, std::uint64_t pc) {
  if (slot >= processes_.size() || processes_[slot]->ended) return;
  if (end == DWELL_STACK_ASYNC) {
    (void)unwind_.load_full(processes_[slot]->target, pc);
    return;
  }
  Process& process = *processes_[slot];
  // Reading maps takes the target's mmap lock: that is done for a fiftieth of the time at most.
  if (monotonic_ns() - process.synced_ns < std::max(kSoonestCureNs, 50 * process.sync_took_ns)) return;
  if (Result<void> synced = sync(process); !synced) note_once(synced.error().what);
}

// Each child is counted once, as whatever became of it. What a process forked that is not recorded is no copy
// of any memory that is known.
void Recorder::follow(std::int32_t parent, const ProcessNews& news) {
  pid_t pid = static_cast<pid_t>(news.other_id);
  if (processes_.size() >= kMaxProcesses || !slots_.has_room()) {
    children_.without_room();
    losses_.add(LossKind::kProcessTableFull, news.time_ns);
    return;
  }
  std::size_t before = processes_.size(), notes_before = notes_.size();
  holds_notes_ = true;
  Result<ProcessFacts> facts = read_process(pid);
  Result<Process*> child = facts ? add_process(*facts, parent) : facts.error();
  Result<void> synced = child ? sync(**child) : child.error();
  holds_notes_ = false;
  std::uint64_t late_ns = monotonic_ns() - news.time_ns;
  // One that ended while it was looked at may have some of its probes, and none of its figures.
  bool ended = process_has_ended(pid) || (!synced && synced.error().exit == Exit::kNoTarget);
  bool followed = synced && !ended && !(*child)->code.empty();
  if (!followed && (synced || ended)) {
    notes_.resize(notes_before);  // what could not be read of it is no news
    if (processes_.size() > before) forget_last();
    children_.ended_too_early();
    losses_.add(LossKind::kChildEndedTooEarly, news.time_ns);
    return;
  }
  if (processes_.size() > before) {
    Process& added = *processes_.back();
    if (news.kind == ProcessNews::Kind::kForked)
      for (auto& tracer : tracers_)
        tracer->forked(news.time_ns, static_cast<ProcessSlot>(parent), added.slot);
    writer_.set_process(added.slot, added.info);
  }
  if (followed) {
    children_.followed(late_ns);
  } else {
    children_.failed(synced.error().what);
    losses_.add(LossKind::kChildFailed, news.time_ns);
  }
  release_notes(notes_before);
  if (!children_.is_few() || !callbacks_.note) return;
  std::uint32_t forker = news.kind == ProcessNews::Kind::kForked ? processes_[parent]->info.pid : news.tid;
  callbacks_.note(followed ? fmt::format("process {} was forked by {}: its first {:.1f} ms were not recorded", pid,
                                         forker, late_ns / 1e6)
                           : fmt::format("process {} was forked by {} and could not be followed: {}", pid,
                                         forker, synced.error().what));
}

// What was noted of a child that is recorded now; what was said of another one is not said again.
void Recorder::release_notes(std::size_t from) {
  auto repeated = [this](const Note& note) { return !said_of_children_.insert(note.text).second; };
  notes_.erase(std::remove_if(notes_.begin() + static_cast<std::ptrdiff_t>(from), notes_.end(), repeated), notes_.end());
  if (!callbacks_.note) return;
  for (std::size_t i = from; i < notes_.size(); ++i) callbacks_.note(notes_[i].text);
}

// It ended before it was one of the recorded processes. If its end is still to come through the ring, its slot
// is taken until then.
void Recorder::forget_last() {
  Process& process = *processes_.back();
  pid_t pid = static_cast<pid_t>(process.info.pid);
  bool silent = core_.remove_target(pid);
  mmap_watch_.forget(pid);
  unwind_.drop(process.target);
  if (!slots_.reuses()) {
    process.ended = true;
    writer_.set_process(process.slot, process.info);
    return;
  }
  slots_.disown(process.target);
  if (silent) slots_.give_back(process.target);
  processes_.pop_back();
}

void Recorder::ended(Process& process, std::uint64_t time_ns) {
  process.ended = true;
  process.info.end_ns = time_ns;
  // The last chance: what has ended can still be asked until its parent has waited for it.
  process.cpu_ns = process_cpu_ns(process.info.pid).value_or(process.cpu_ns);
  unwind_.drop(process.target);
  mmap_watch_.forget(process.info.pid);
  writer_.set_process(process.slot, process.info);
  process.pidfd.reset();
  slots_.give_back(process.target);
}

bool Recorder::all_ended() const {
  return std::all_of(processes_.begin(), processes_.end(), [](const auto& process) {
    pollfd gone{process->pidfd.get(), POLLIN, 0};
    return process->ended || ::poll(&gone, 1, 0) > 0;
  });
}

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
  schedule_.ticked(now_ns, tick_bytes);
  std::uint64_t live = 0;
  for (const auto& tracer : tracers_) live += tracer->live_count();
  if (!schedule_.checkpoint_due(now_ns, live, writer_.bytes_written())) return {};
  schedule_.checkpointed(now_ns);
  return write_live(now_ns);
}

Result<void> Recorder::write_live(std::uint64_t now_ns) {
  for (auto& tracer : tracers_)
    if (Result<void> written = tracer->write_live(now_ns); !written) return written;
  return {};
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
  for (auto& tracer : tracers_) {
    TracerCost cost = tracer->cost();
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

// What a recording costs is the target's time. Above the limit the target is worth more than the recording. The cost
// is hits times a calibrated price, which may come out above the whole.
void Recorder::spare_target(std::uint64_t now_ns) {
  TracerCost cost = measure_cost();
  std::optional<double> percent = guardrail_.add(now_ns, cost.trap_ns + cost.bpf_ns.value_or(0), measure_target_cpu());
  if (!percent) return;
  gave_way_ = true;
  end_.reason = fmt::format("probes took {:.0f}% of the target's CPU time for 5 s, and may take {:g}% (--detach-above)",
                            std::min(*percent, 100.0), options_.detach_above_percent);
}

void Recorder::count_run_time(std::uint64_t now_ns) {
  if (now_ns < run_time_until_ns_) return;
  bool was_window = run_time_until_ns_ && run_time_window_;
  run_time_window_ = !was_window;
  if (!core_.count_run_time(run_time_window_)) run_time_window_ = false;
  run_time_until_ns_ = now_ns + (run_time_window_ ? kRunTimeWindowNs : kRunTimeEveryNs);
}

void Recorder::tell_progress(std::uint64_t now_ns) {
  if (!callbacks_.progress) return;
  RecordProgress progress;
  progress.elapsed_ns = now_ns - start_ns_;
  for (const auto& tracer : tracers_) tracer->tell(progress);
  if (told_ns_) progress.events_per_second = (decoder_.events() - told_events_) * 1e9 / (now_ns - told_ns_);
  told_events_ = decoder_.events();
  told_ns_ = now_ns;
  TracerCost cost = measure_cost();
  if (std::uint64_t target_cpu_ns = measure_target_cpu())
    progress.cost_percent = 100.0 * (cost.trap_ns + cost.bpf_ns.value_or(0)) / target_cpu_ns;
  for (const LossSum& loss : core_.losses()) progress.lost += loss.count;
  callbacks_.progress(progress);
}

// The order of retreat: first what is new is kept smaller, then the recording ends, whole.
void Recorder::guard_memory(std::uint64_t now_ns) {
  if (now_ns - memory_seen_ns_ < kMemoryEveryNs && !memory_ran_out()) return;
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
  if (memory_ran_out())
    end_.reason = fmt::format("dwell needed more than the {} of memory that it may take (--max-memory)",
                              human_bytes(static_cast<double>(limit)));
  else if (above(kShareToEnd))
    end_.reason = fmt::format("dwell had taken {} of the {} of memory that it may (--max-memory)",
                              human_bytes(static_cast<double>(used)), human_bytes(static_cast<double>(limit)));
}

void Recorder::note_once(const std::string& text) {
  if (said_.size() < kMostNotes && said_.insert(text).second) note(text);
}

void Recorder::note(const std::string& text) {
  if (++notes_told_ > kMostNotes) return;  // finish() says how many there were
  notes_.push_back({monotonic_ns(), text});
  if (callbacks_.note && !holds_notes_) callbacks_.note(text);
}

// ---- the end ----

Result<void> Recorder::finish() {
  // What waits in the ring belongs to the recording; what comes while the probes go away does not.
  for (std::size_t waiting = kCaughtUp; waiting >= kCaughtUp;) {
    Result<std::size_t> drained = core_.consume();
    if (!drained) return drained.error();
    waiting = *drained;
  }
  end_.time_ns = monotonic_ns();
  for (auto& process : processes_) note_gap(*process, true);
  for (const std::string& text : children_.summary()) notes_.push_back({end_.time_ns, text});
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
