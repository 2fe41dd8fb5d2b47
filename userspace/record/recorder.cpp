// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/recorder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "userspace/base/clock.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/output_file.h"
#include "userspace/record/machine.h"
#include "userspace/record/recorder_process.h"
#include "userspace/record/symbols.h"

namespace dwell {
namespace {

RecordingInfo describe(const RecordOptions& options, const ProcessFacts& target) {
  RecordingInfo info = describe_recording(options.command_line, target);
  info.sample_period_bytes = options.sample_bytes;
  info.started_by_dwell = !options.command.empty();
  return info;
}

// Where memory cannot be recorded within a budget (probes are attached one by one), nobody is: it would leave the others nothing.
double share_of_all(const RecordOptions& options, const Calibration& calibration) {
  bool too_slow = calibration.abilities.best == AttachMethod::kPerf && !options.max_overhead_percent;
  return too_slow ? 0 : overhead_budget(options) / 100;
}

constexpr std::size_t kMostTargets = 255;  // TargetSlots

// A started program has nothing mapped yet but itself and its loader; room is made for what will come.
Result<void> read_tables(const Targets& targets, UnwindTables& unwind) {
  std::size_t slot = 0;
  for (const ProcessFacts& target : targets.found) {
    if (slot == kMostTargets) break;
    Result<std::vector<Mapping>> mappings = read_maps(target.pid);
    bool only = targets.found.size() == 1;
    if (!mappings && only) return mappings.error();
    if (mappings && mappings->empty() && only)
      return Error{fmt::format("trace PID {}: it has no memory: it is ending", target.pid), "", Exit::kNoTarget};
    if (mappings) unwind.sync(target.pid, static_cast<TargetSlot>(slot++), *mappings);
  }
  return {};
}

std::string file_name_for(const ProcessFacts& target) {
  return unused_name(fmt::format("{}.{}", safe_name(target.name, "recording"), target.pid), ".dwell");
}

}  // namespace

Recorder::Recorder(const RecordOptions& options, const RecordCallbacks& callbacks,
                   const Calibration& calibration, std::string path, TraceCore core, UnwindTables unwind,
                   MmapWatch mmap_watch, RecordingWriter writer, const RecordingInfo& info)
    : options_(options),
      callbacks_(callbacks),
      calibration_(calibration),
      path_(std::move(path)),
      info_(info),
      start_ns_(info.start_monotonic_ns),
      core_(std::move(core)),
      unwind_(std::move(unwind)),
      mmap_watch_(std::move(mmap_watch)),
      writer_(std::move(writer)),
      modules_(writer_),
      stacks_(writer_),
      decoder_(stacks_, writer_,
               {[this](const ProcessNews& news) { handle(news); },
                [this](TargetSlot slot, dwell_stack_end end, std::uint64_t pc) { refresh_mappings(slots_.owner(slot), end, pc); },
                [this](TargetSlot target) -> const AddressSpace& {
                  static const AddressSpace nowhere;
                  take_mapping_news();
                  ProcessSlot slot = slots_.owner(target);
                  return slot < processes_.size() ? processes_[slot]->code : nowhere;
                },
                [this](const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) {
                  return std::any_of(tracers_.begin(), tracers_.end(),
                                     [&](auto& tracer) { return tracer->decode(header, process, record); });
                },
                [this](TargetSlot slot) { return slots_.owner(slot); },
                [this](TargetSlot target, const StackRest& rest, WalkedStack& stack) {
                  ProcessSlot slot = slots_.owner(target);
                  if (slot >= processes_.size()) return;
                  const Process& process = *processes_[slot];
                  completer_.complete(static_cast<pid_t>(process.info.pid), process.code, modules_, rest, stack);
                }}),
      schedule_(start_ns_, options.longest_tick_ns),
      overhead_(share_of_all(options, calibration)),
      losses_(start_ns_),
      children_(options.follow_forks || options.group),
      guardrail_(options.detach_above_percent) {
  core_.allow_rests();
  core_.set_handler([this](const void* data, std::size_t size) { decoder_.decode(data, size); });
}

Recorder::~Recorder() = default;

Result<std::unique_ptr<Recorder>> Recorder::open(const RecordOptions& options,
                                                 const RecordCallbacks& callbacks, const Targets& targets,
                                                 const Calibration& calibration) {
  Result<MmapWatch> mmap_watch = MmapWatch::open();
  if (!mmap_watch) return mmap_watch.error();

  const ProcessFacts& target = targets.found[0];
  UnwindTables unwind;
  if (Result<void> sized = read_tables(targets, unwind); !sized) return sized.error();
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
                                                  std::move(*writer), info));
  recorder->old_path_ = *old;
  if (Result<void> loaded = recorder->load_tracers(targets); !loaded) return recorder->abandon(loaded.error());
  return recorder;
}

Result<void> Recorder::load_tracers(const Targets& targets) {
  std::vector<pid_t> pids;
  for (const ProcessFacts& target : targets.found) pids.push_back(target.pid);
  TracerContext context{.options = options_,
                        .calibration = calibration_,
                        .start_ns = start_ns_,
                        .targets = pids,
                        .target_of = [this](ProcessSlot slot) { return processes_.at(slot)->target; },
                        .core = core_,
                        .writer = writer_,
                        .stacks = stacks_,
                        .modules = modules_,
                        .next_probe = next_probe_,
                        .refused_probes = refused_probes_,
                        .note = [this](const std::string& text) { note(text); },
                        .unseen = [this](Unseen unseen) { note_unseen(std::move(unseen)); },
                        .overhead = overhead_};
  std::optional<Error> first_error;
  for (const TracerLoader& load : options_.tracers) {
    Result<std::unique_ptr<Tracer>> tracer = load(context);
    if (tracer && !*tracer) continue;  // there is nothing for it in this target
    if (tracer) {
      if ((*tracer)->counts_in_kernel()) slots_.never_reuse();
      std::shared_ptr<OverheadShares::Part> part = (*tracer)->part();
      parts_.push_back(part ? part : overhead_.join_fixed(std::string((*tracer)->called())));
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

// To attach can take as long as a short recording: what a figure is divided by is the time in which it was counted.
Result<void> Recorder::begin() {
  std::uint64_t now_ns = monotonic_ns();
  info_.start_unix_ns += now_ns - info_.start_monotonic_ns;
  info_.start_monotonic_ns = start_ns_ = now_ns;
  schedule_ = TickSchedule(now_ns, options_.longest_tick_ns);
  for (auto& tracer : tracers_) tracer->begin(now_ns);
  Result<void> written = writer_.write_info(info_);
  return written ? writer_.write_tables() : written;
}

void Recorder::tell_attaching() {
  RecordProgress progress;
  progress.attaching = true;
  if (callbacks_.progress) callbacks_.progress(progress);
}

// Where one tracer finds nothing, another may.
Result<void> Recorder::require_probes(const ProcessFacts& facts) {
  std::optional<Error> none;
  std::vector<std::string> news;
  bool any = false;
  for (auto& tracer : tracers_) {
    Result<void> something = tracer->require_probes(facts);
    any = any || something;
    if (something) continue;
    if (!none) none = something.error();
    if (!tracer->is_optional()) news.push_back(something.error().what);
  }
  if (!any) return *none;
  for (const std::string& text : news) note(text);
  return {};
}

Result<void> Recorder::attach(LaunchedProgram& program, const ProcessFacts& facts) {
  Result<Process*> process = add_process(facts, -1);
  if (!process) return process.error();
  if (Result<void> ran = program.load([&] { return tell_attaching(), sync(**process); }); !ran) return ran;
  writer_.set_process((*process)->slot, (*process)->info);
  launched_ = &program;
  for (auto& tracer : tracers_)
    if (Result<void> something = tracer->require_probes(facts); !something && !tracer->is_optional())
      note("before the program's first instruction: " + something.error().what +
           (something.error().hint.empty() ? "" : "; hint: " + something.error().hint));
  if (Result<void> begun = begin(); !begun) return begun;
  return program.release();
}

Result<void> Recorder::sync(Process& process) {
  std::uint64_t began_ns = monotonic_ns();
  std::uint64_t since_ns = std::exchange(process.news_since_ns, 0);
  std::size_t skipped_lines = 0;
  if (!process.tied_to) process.tied_to = living_thread(static_cast<pid_t>(process.info.pid));
  Result<std::vector<Mapping>> mappings = read_maps(process.info.pid, &skipped_lines);
  if (!mappings) return mappings.error();
  lost_map_lines_ += skipped_lines;
  std::uint64_t read_ns = monotonic_ns();
  process.code.replace(modules_.code_of(process.info.pid, *mappings), began_ns);
  UnwindSync unwind = unwind_.sync(process.info.pid, process.target, *mappings);
  process.code.published(monotonic_ns());
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
  if (std::ranges::any_of(tracers_, [](const auto& tracer) { return tracer->begins_anywhere(); })) load_whole_tables(process, *mappings);
  std::uint64_t now_ns = monotonic_ns();
  // A file is made known once, however large it is; looking again and again is what must not take long.
  bool new_files = late_probes || unwind.modules_loaded || unwind.modules_from_cache;
  process.budget.spent(began_ns, new_files ? read_ns : now_ns);
  if (process.info.program.empty()) process.info.program = modules_.program_of(process.info.pid, *mappings);
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

// Of large files they are loaded when the first stack begins there: until then stacks are cut, or completed later.
void Recorder::load_whole_tables(Process& process, const std::vector<Mapping>& mappings) {
  constexpr std::uint64_t kLargeBytes = std::uint64_t{16} << 20;  // of code: some 100 ms
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file() || mapping.end - mapping.start > kLargeBytes) continue;
    if (process.whole_tables.insert({mapping.start, mapping.device(), mapping.inode}).second) (void)unwind_.load_full(process.target, mapping.start);
  }
}

Error Recorder::abandon(const Error& cause) {
  ::unlink(path_.c_str());
  if (old_path_) ::renameat2(AT_FDCWD, old_path_->c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
  bool only_one = processes_.empty() && options_.pids.size() == 1 && !options_.group;
  bool ended = processes_.empty() ? only_one && process_has_ended(options_.pids[0]) : all_ended();
  if (!ended) return cause;
  pid_t pid = processes_.empty() ? options_.pids[0] : static_cast<pid_t>(processes_[0]->info.pid);
  return {fmt::format("trace PID {}: it ended before anything was recorded", pid), "", Exit::kNoTarget};
}

}  // namespace dwell
