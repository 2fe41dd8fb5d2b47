// SPDX-License-Identifier: Apache-2.0
// The recorder while it runs: events, new code, children, exec, and the end of processes.
#include "userspace/base/time_units.h"
#include "userspace/record/recorder.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "userspace/base/clock.h"
#include "userspace/base/output_file.h"
#include "userspace/record/recorder_process.h"
#include "userspace/record/symbols.h"
#include "userspace/recording/late_probes.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSoonestCureNs = 20 * kMillisecond;
constexpr std::uint64_t kPollNs = 50 * kMillisecond;
constexpr std::uint64_t kProgressNs = 250 * kMillisecond;

// Mapped in the same place when the process was looked at last: a library that comes and goes.
bool is_known(const std::vector<Mapping>& known, const NewMapping& fresh) {
  auto found = std::lower_bound(known.begin(), known.end(), fresh.start,
                                [](const Mapping& mapping, std::uint64_t start) { return mapping.start < start; });
  return found != known.end() && found->start == fresh.start && found->end == fresh.start + fresh.size &&
         found->inode == fresh.inode && found->file_offset == fresh.file_offset && found->path == fresh.path;
}

}  // namespace

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
  watching_ = true;
  while (end_.reason.empty()) {
    epoll_event ready[4];
    std::uint64_t before_ns = monotonic_ns();
    std::uint64_t gather_ns = gather_until_ns - std::min(gather_until_ns, before_ns);
    ::epoll_wait(gather_ns ? but_mappings.get() : all.get(), ready, 4,
                 static_cast<int>((gather_ns ? gather_ns : kPollNs) / kMillisecond));
    // Mappings first: a stack may already lead into code that arrived a moment ago.
    take_mapping_news();
    if (MappingNews news = std::exchange(mapping_news_, {}); !news.empty()) {
      handle(news);
      gather_until_ns = pace.after_news(monotonic_ns());
    }
    look_again();
    if (Result<std::size_t> drained = core_.consume(); !drained) return drained.error();
    std::uint64_t now_ns = monotonic_ns();
    count_run_time(now_ns);
    for (auto& process : processes_) note_gap(*process);
    guard_memory(now_ns);
    if (options_.group && options_.group->can_be_joined && now_ns >= newcomers_due_ns_) {
      take_newcomers();
      newcomers_due_ns_ = now_ns + kSecond;
    }
    for (auto& tracer : tracers_)
      if (Result<void> polled = tracer->poll(now_ns); !polled) return polled;
    if (schedule_.tick_due(now_ns)) {
      if (Result<void> ticked = tick(now_ns); !ticked) return ticked;
    }
    if (now_ns - last_progress_ns >= kProgressNs) {
      Spent spent = measure_spent();
      tell_progress(now_ns, spent);
      spare_target(now_ns, spent);
      overhead_.update(now_ns, spent.target_cpu_ns);
      last_progress_ns = now_ns;
    }
    if (!end_.reason.empty()) break;
    if (signals.arrived()) end_.reason = "interrupted";
    if (signals.take_mark())
      if (Result<void> marked = mark(now_ns); !marked) return marked;
    if (options_.duration_ns && now_ns - start_ns_ >= *options_.duration_ns)
      end_.reason = "stopped by -d";
    if (all_ended()) end_.reason = "the target ended";
  }
  return {};
}

void Recorder::handle(const ProcessNews& news) {
  if (news.process >= processes_.size()) return handle_unowned(news);
  for (auto& tracer : tracers_) tracer->on_process_event(news);
  Process& process = *processes_[news.process];
  switch (news.kind) {
    case ProcessNews::Kind::kForked:
    case ProcessNews::Kind::kForkedBelow:
      children_.forked();
      if (follows_forks()) follow(process.slot, news);
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
void Recorder::handle_unowned(const ProcessNews& news) {
  if (news.kind == ProcessNews::Kind::kExited) slots_.give_back(news.target);
  if (news.kind == ProcessNews::Kind::kSpawned) children_.spawned();
  if (news.kind != ProcessNews::Kind::kForked && news.kind != ProcessNews::Kind::kForkedBelow) return;
  ProcessNews fork = news;
  fork.kind = ProcessNews::Kind::kForkedBelow;
  children_.forked();
  if (follows_forks()) follow(-1, fork);
}

// What has been mapped by the time that a stack is read, whether or not it was looked at: the stack is resolved by it.
void Recorder::take_mapping_news() {
  std::uint64_t since_ns = std::exchange(mapping_news_ns_, monotonic_ns());
  MappingNews news = mmap_watch_.take();
  if (news.empty()) return;
  for (const NewMapping& mapping : news.mappings) learn(mapping);
  if (news.lost)
    for (auto& process : processes_) process->code.lost(since_ns);
  mapping_news_.append(std::move(news));
}

void Recorder::learn(const NewMapping& fresh) {
  auto process = std::find_if(processes_.begin(), processes_.end(), [&](const auto& one) {
    return !one->ended && static_cast<pid_t>(one->info.pid) == fresh.pid;
  });
  if (process == processes_.end()) return;
  core_.allow_rests();
  Mapping mapping = {};
  mapping.start = fresh.start;
  mapping.end = fresh.start + fresh.size;
  mapping.file_offset = fresh.file_offset;
  mapping.inode = fresh.inode;
  mapping.device_major = fresh.device_major;
  mapping.device_minor = fresh.device_minor;
  mapping.readable = mapping.executable = true;
  mapping.path = fresh.path;
  for (const CodeRange& range : modules_.code_of(fresh.pid, {mapping})) (*process)->code.map(range, fresh.time_ns);
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

void Recorder::sync_again(Process& process) {
  Result<void> synced = sync(process);
  if (!synced && synced.error().exit != Exit::kNoTarget) note_once(synced.error().what);
}

void Recorder::look_again() {
  for (auto& process : processes_) {
    std::uint64_t now_ns = monotonic_ns();
    if (process->ended || process->news_since_ns == 0 || !process->budget.allows(now_ns)) continue;
    if (std::exchange(process->blind, false)) {
      process->tied_to = 0;
      for (auto& tracer : tracers_) tracer->forget_probes(process->slot);
      process->budget.spent(now_ns, monotonic_ns());
    }
    sync_again(*process);
  }
}

Result<void> Recorder::tie_again(Process& process) {
  std::uint64_t since_ns = process.news_since_ns;
  process.blind = false;
  process.tied_to = 0;
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
    if (Result<std::vector<Mapping>> mappings = read_maps(process.info.pid)) process.info.program = modules_.program_of(process.info.pid, *mappings);
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
void Recorder::refresh_mappings(ProcessSlot slot, dwell_stack_end end, std::uint64_t pc) {
  if (slot >= processes_.size() || processes_[slot]->ended) return;
  if (end == DWELL_STACK_ASYNC) {
    if (Result<bool> loaded = unwind_.load_full(processes_[slot]->target, pc); !loaded) note_once(loaded.error().what);
    return;
  }
  Process& process = *processes_[slot];
  // Reading maps takes the target's mmap lock: that is done for a fiftieth of the time at most.
  if (monotonic_ns() - process.synced_ns < std::max(kSoonestCureNs, 50 * process.sync_took_ns)) return;
  sync_again(process);
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
  if (running(pid)) return children_.followed(0);  // found among the members of a group
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
        tracer->on_fork(news.time_ns, static_cast<ProcessSlot>(parent), added.slot);
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
  for (auto& tracer : tracers_) tracer->forgotten(process.slot);
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

}  // namespace dwell
