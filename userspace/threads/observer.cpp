// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/observer.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "symbolizer/proc_maps.h"
#include "userspace/process/process_memory.h"
#include "userspace/threads/cpu_sampler.h"
#include "userspace/process/data_symbols.h"
#include "userspace/base/clock.h"
#include "userspace/base/files.h"
#include "userspace/process/descriptors.h"
#include "userspace/process/frozen_group.h"
#include "userspace/process/process.h"
#include "userspace/threads/handled_signals.h"
#include "userspace/threads/lock_kinds.h"
#include "userspace/threads/lock_table.h"
#include "userspace/threads/own_ids.h"
#include "userspace/threads/process_chain.h"
#include "userspace/threads/spins.h"
#include "userspace/threads/stacks.h"
#include "userspace/threads/upgrades.h"
#include "userspace/threads/waits.h"

namespace dwell {
namespace {

// At threads that ran while they were looked at.
constexpr int kLooksAgain = 2;
constexpr std::size_t kMostLooksAgain = 32;
constexpr std::uint64_t kWatchedNs = 20'000'000, kLongerNs = 280'000'000;  // how long threads that run are watched; those that get little of a CPU longer


// Bits of task_struct.__state.
constexpr std::uint32_t kInterruptible = 1, kUninterruptible = 2, kStoppedOrTraced = 4 | 8, kFrozen = 0x8000,
                        kWaking = 0x200;

ThreadState state_of(const SeenThread& thread) {
  std::uint32_t state = thread.record.state;
  if (thread.record.exit_state) return ThreadState::kEnded;
  if (thread.on_cpu()) return ThreadState::kRunning;
  if (state & (kStoppedOrTraced | kFrozen)) return ThreadState::kStopped;
  if (state == 0 || state & kWaking) return ThreadState::kReady;
  if (state & kUninterruptible) return ThreadState::kUninterruptible;
  return state & kInterruptible ? ThreadState::kSleeping : ThreadState::kUninterruptible;
}

bool waits(ThreadState state) {
  return state == ThreadState::kSleeping || state == ThreadState::kUninterruptible;
}

bool runs(const ThreadFacts& facts) { return facts.state == ThreadState::kRunning || facts.state == ThreadState::kReady; }

// Who stopped it, if that is another process that traces it.
std::string stopped_words(Tid tid, std::uint32_t state) {
  constexpr std::uint32_t kTraced = 8;
  std::string tracer;
  if (state & kTraced)
    if (Result<std::string> status = read_file(fmt::format("/proc/{}/status", tid), 1 << 16))
      tracer = status_field(*status, "TracerPid");
  if (tracer.empty() || tracer == "0") return "to be continued: it was stopped";
  Result<std::string> name = read_file(fmt::format("/proc/{}/comm", tracer), 64);
  return fmt::format("to be continued by {} ({}), which traces it",
                     name ? name->substr(0, name->find('\n')) : "a process", tracer);
}

struct Seen {
  const RawLook* look;
  const SeenThread* thread;
};

// The threads of a process, those that ran while they were looked at each as it was seen when it held still.
struct Sights {
  std::deque<RawLook> looks;
  std::vector<Seen> threads;
};

Result<Sights> look_until_still(ThreadLooker& looker) {
  Sights sights;
  Result<RawLook> all = looker.look();
  if (!all) return all.error();
  sights.looks.push_back(std::move(*all));
  for (const SeenThread& thread : sights.looks.front().threads)
    if (thread.record.tid) sights.threads.push_back({&sights.looks.front(), &thread});
  std::size_t looks_left = kMostLooksAgain;
  for (Seen& seen : sights.threads) {
    for (int i = 0; i < kLooksAgain && seen.thread->moved() && looks_left > 0; ++i, --looks_left) {
      Result<RawLook> again = looker.look_at(seen.thread->record.tid);
      if (!again || again->threads.empty()) break;
      sights.looks.push_back(std::move(*again));
      seen = {&sights.looks.back(), &sights.looks.back().threads.front()};
    }
  }
  return sights;
}

std::vector<const SeenThread*> seen_threads(const std::vector<Seen>& sights) {
  std::vector<const SeenThread*> threads;
  for (const Seen& seen : sights) threads.push_back(seen.thread);
  return threads;
}

// What a thread waits for that made no system call: its memory, or something of the kernel's own.
void describe_without_call(const SeenThread& thread, ThreadFacts& facts) {
  facts.wait = thread.has_registers() ? WaitKind::kPageFault : WaitKind::kKernel;
  facts.waits_for = thread.has_registers() ? "a page of its memory" : "work of the kernel's own";
}

// What a futex is that a thread waits on, as the functions say that it is in.
LockFamily family_in(const StackCollector& stacks, StackId stack, bool relative) {
  constexpr std::size_t kNearTheLeaf = 24;
  std::vector<std::string_view> functions = stacks.functions_of(stack);
  return family_of(std::span(functions).first(std::min(functions.size(), kNearTheLeaf)), relative);
}

}  // namespace

class ThreadObserver::Impl {
 public:
  Impl(pid_t pid, const std::vector<Mapping>& mappings, RecordingWriter& writer, ThreadLooker looker, bool thorough)
      : pid_(pid),
        thorough_(thorough),
        looker_(std::move(looker)),
        memory_(pid),
        data_(pid, mappings),
        stacks_(pid, mappings, writer),
        upgrades_(pid, mappings),
        chain_(pid, writer) {
    call_target_.descriptor = [this](int fd) { return descriptors_->describe(fd); };
    call_target_.watched_by = [this](int fd) { return descriptors_->watched_by(fd); };
    call_target_.file_system = [this](int folder, const std::string& path) { return descriptors_->file_system(folder, path); };
    call_target_.child = [this](int id) { return describe_child(id); };
    call_target_.memory = [this](std::uint64_t address, void* to, std::size_t size) {
      return memory_.read(address, to, size);
    };
  }

  Result<ThreadLook> look() {
    Result<Sights> sights = look_until_still(looker_);
    if (!sights) return sights.error();
    descriptors_.emplace(pid_);  // what they were at the last look is no news
    ThreadLook look = describe(sights->threads);
    if (thorough_) chain_.follow(seen_threads(sights->threads), call_target_, looker_, look);
    if (thorough_) watch_running(sights->threads, look);
    sample_running(sights->threads, look);
    look.time_ns = sights->looks.front().started_ns;
    look.duration_ns = sights->looks.back().ended_ns - look.time_ns;
    return look;
  }

  // Of the process, and of others that it waits for in a circle.
  const std::vector<LocationSymbol>& names() { return chain_.add_names(stacks_.names()); }

  std::vector<std::string> problems() const {
    std::vector<std::string> problems = stacks_.problems();
    if (descriptors_ && !descriptors_->problem().empty()) problems.push_back(descriptors_->problem());
    if (!chain_.problem().empty()) problems.push_back(chain_.problem());
    return problems;
  }

  Tid kernel_tid(Tid tid) const {
    auto found = kernel_tids_.find(tid);
    return found == kernel_tids_.end() ? 0 : found->second;
  }

 private:
  ThreadLook describe(const std::vector<Seen>& sights) {
    ThreadLook look;
    kernel_tids_.clear();
    waits_to_write_.clear();
    for (const Seen& seen : sights) {
      kernel_tids_[seen.thread->record.tid] = seen.thread->record.kernel_tid;
      look.threads.push_back(facts_of(seen));
    }
    // What a thread waits for is told by the functions that it is in, so names come first.
    stacks_.names();
    LockTable locks(pid_, data_, seen_threads(sights));
    for (std::size_t i = 0; i < sights.size(); ++i)
      if (waits(look.threads[i].state)) describe_wait_of(*sights[i].thread, locks, look.threads[i]);
    confirm(sights, locks, look);
    look.locks = locks.take();
    find_likely_holders(sights, look);
    find_upgrades(sights, look);
    look.handled_signals = handled_signals(pid_);
    if (std::string group = frozen_group_of(pid_); !group.empty()) mark_frozen(group, look);
    return look;
  }

  // They sleep until the group is thawed, whatever they waited for before.
  static void mark_frozen(const std::string& group, ThreadLook& look) {
    for (ThreadFacts& facts : look.threads) {
      bool traced = facts.waits_for.ends_with("which traces it");
      if ((!waits(facts.state) && facts.state != ThreadState::kStopped) || traced) continue;
      facts.state = ThreadState::kStopped;
      facts.wait = WaitKind::kNone;
      facts.lock = -1;
      facts.waits_for = "its control group " + group + " to be thawed: it is frozen";
    }
  }

  // By dwell's id, and by the program's own where that is another: its logs have that one.
  std::string describe_child(int id) const {
    std::optional<pid_t> seen = child_known_as(pid_, id);
    if (!seen || *seen == id) return fmt::format("child {}", id);
    return fmt::format("child {} ({} in its own PID namespace)", *seen, id);
  }

  // Which of those that run or are ready to did not sleep for a while: they may spin.
  void watch_running(const std::vector<Seen>& sights, ThreadLook& look) {
    if (std::ranges::none_of(look.threads, runs)) return;
    std::map<Tid, std::vector<dwell_run_state>> states = states_of_running(look);
    Result<RawLook> later = looker_.look_at_times();
    for (std::size_t i = 0; later && i < sights.size(); ++i) {
      const dwell_thread_record& before = sights[i].thread->record;
      const SeenThread* after = runs(look.threads[i]) ? later->find(before.tid) : nullptr;
      if (!after || after->record.voluntary != before.voluntary || after->record.cpu_ns < before.cpu_ns) continue;
      look.threads[i].busy_ns = after->record.cpu_ns - before.cpu_ns;
      look.threads[i].busy_over_ns = after->record.time_ns - before.time_ns;
      describe_spin(states[look.threads[i].tid], look.threads[i]);
    }
  }

  // For kWatchedNs; nothing where threads cannot be sampled.
  std::map<Tid, std::vector<dwell_run_state>> states_of_running(const ThreadLook& look) {
    std::uint64_t until_ns = monotonic_ns() + kWatchedNs;
    std::map<Tid, std::vector<dwell_run_state>> states;
    if (!sampler_) sampler_.emplace(CpuSampler::open());
    if (*sampler_) {
      std::vector<std::uint32_t> tids;
      for (const ThreadFacts& facts : look.threads)
        if (runs(facts)) tids.push_back(static_cast<std::uint32_t>(facts.tid));
      std::vector<std::vector<dwell_run_state>> watched = (*sampler_)->watch(tids, until_ns + kLongerNs);
      for (std::size_t i = 0; i < watched.size(); ++i) states[static_cast<Tid>(tids[i])] = std::move(watched[i]);
    }
    if (std::uint64_t now_ns = monotonic_ns(); now_ns < until_ns) {
      timespec rest{0, static_cast<long>(until_ns - now_ns)};
      ::nanosleep(&rest, nullptr);
    }
    return states;
  }

  void describe_spin(const std::vector<dwell_run_state>& states, ThreadFacts& facts) {
    std::optional<Spin> spin = find_spin(states);
    if (!spin) return;
    if (spin->yields) {
      facts.spins = fmt::format("it gave up its CPU (sched_yield) at {} of {} moments", spin->repeated, spin->seen);
      return;
    }
    facts.spins = fmt::format("at {} of {} moments it was in a state that it was in at another one, with the same registers and stack, at {} instruction{} in all",
                              spin->repeated, spin->seen, spin->places, spin->places == 1 ? "" : "s");
    std::vector<std::byte> code(15);  // as long as an instruction can be
    auto code_at = [&](std::uint64_t address) {
      bool read = memory_.read(address, code.data(), code.size());
      return std::span<const std::byte>(code).first(read ? code.size() : 0);
    };
    if (std::optional<std::uint64_t> word = word_it_reads(states, code_at)) facts.spins_on = data_.describe(*word);
  }

  // The registers of a thread on its CPU are those of its last way into the kernel. Last of all, for what is
  // told of the others is to be of one moment.
  void sample_running(const std::vector<Seen>& sights, ThreadLook& look) {
    std::vector<std::uint32_t> running;
    std::map<std::uint32_t, std::uint64_t> thread_pointers;
    for (const Seen& seen : sights) {
      const dwell_thread_record& record = seen.thread->record;
      if (!seen.thread->has_registers() || !seen.thread->on_cpu()) continue;
      running.push_back(record.tid);
      thread_pointers[record.tid] = record.thread_pointer;
    }
    if (running.empty()) return;
    if (!sampler_) sampler_.emplace(CpuSampler::open());
    if (!*sampler_) return;
    for (const CpuSample& sample : (*sampler_)->sample(running)) {
      SeenThread thread{};
      thread.record.ip = sample.ip;
      thread.record.sp = sample.sp;
      thread.record.bp = sample.bp;
      thread.record.call = sample.call;
      thread.record.thread_pointer = thread_pointers[sample.tid];
      auto facts = std::ranges::find(look.threads, sample.tid, &ThreadFacts::tid);
      if (facts != look.threads.end()) facts->stack = stacks_.user_stack(thread, sample.stack);
    }
  }

  ThreadFacts facts_of(const Seen& seen) {
    const dwell_thread_record& record = seen.thread->record;
    ThreadFacts facts;
    facts.tid = record.tid;
    facts.own_tid = record.own_tid;
    facts.name = std::string(record.name, ::strnlen(record.name, sizeof record.name));
    facts.state = state_of(*seen.thread);
    facts.moved = seen.thread->moved();
    facts.since_ns =
        facts.state == ThreadState::kRunning ? record.time_ns : seen.look->last_ran_ns(*seen.thread);
    facts.started_ns = record.start_ns;
    facts.cpu_ns = record.cpu_ns;
    facts.voluntary_switches = record.voluntary;
    facts.involuntary_switches = record.involuntary;
    if (record.call != DWELL_NO_CALL) facts.call = static_cast<std::int32_t>(record.call);
    if (facts.state == ThreadState::kStopped) facts.waits_for = stopped_words(record.tid, record.state);
    if (seen.thread->has_registers() && !seen.thread->on_cpu())
      facts.stack = stacks_.user_stack(*seen.thread, seen.look->window(*seen.thread));
    facts.kernel_stack = stacks_.kernel_stack(seen.look->kernel_stack(*seen.thread));
    return facts;
  }

  void describe_wait_of(const SeenThread& thread, LockTable& locks, ThreadFacts& facts) {
    if (thread.record.call == DWELL_NO_CALL) return describe_without_call(thread, facts);
    std::uint64_t args[6];
    std::copy(std::begin(thread.record.args), std::end(thread.record.args), args);
    Wait wait = describe_wait(thread.record.call, args, call_target_);
    facts.wait = wait.kind;
    facts.timed = wait.timed;
    if (wait.futex) describe_lock(facts, locks, wait);
    facts.waits_for = wait.text();
  }

  void describe_lock(ThreadFacts& facts, LockTable& locks, Wait& wait) {
    auto [family, fresh] = families_.try_emplace({facts.stack, wait.relative}, LockFamily::kUnknown);
    if (fresh) family->second = family_in(stacks_, facts.stack, wait.relative);
    facts.lock = locks.add(wait.futex, family->second);
    facts.wait = locks[facts.lock].kind;
    wait.words = locks[facts.lock].words;
    if (is_to_read(family->second)) wait.words += ", to read";
    if (!is_to_write(family->second)) return;
    wait.words += ", to write";
    waits_to_write_.insert(facts.tid);
  }

  // The locks were read after the threads: what is said of a thread holds if it has not run since.
  void confirm(const std::vector<Seen>& sights, LockTable& locks, ThreadLook& look) {
    bool any_lock =
        std::ranges::any_of(look.threads, [](const ThreadFacts& facts) { return facts.lock >= 0; });
    if (!any_lock) return;
    Result<RawLook> now = looker_.look_at_times();
    // Whom we can't ask again may have run.
    for (std::size_t i = 0; i < sights.size(); ++i) {
      const SeenThread* later = now ? now->find(look.threads[i].tid) : nullptr;
      bool same = later && later->switches() == sights[i].thread->switches() && !later->on_cpu() &&
                  state_of(*later) == look.threads[i].state;
      if (!same) look.threads[i].moved = true;
    }
    if (now) locks.confirm_missing_owners(*now);
  }

  // Of locks that name nobody, and are no semaphores, conditions and the like, which nobody holds.
  static bool may_have_holder(const LockFacts& lock) {
    bool is_lock = lock.kind == WaitKind::kMutex || lock.kind == WaitKind::kReadWriteLock || lock.words.starts_with("atomic");
    return is_lock && lock.owner_state == OwnerState::kUnnamed && !lock.shared;
  }

  // Who has locked something has its address in a frame; who only knows it may have too, so this is no proof.
  void find_likely_holders(const std::vector<Seen>& sights, ThreadLook& look) {
    constexpr std::size_t kMostThreads = 1024;
    std::map<std::uint64_t, std::set<std::int32_t>> locks;
    for (std::size_t i = 0; i < look.locks.size(); ++i)
      if (may_have_holder(look.locks[i])) locks[look.locks[i].address].insert(static_cast<std::int32_t>(i));
    if (locks.empty()) return;
    std::vector<std::uint64_t> words;
    for (const auto& [address, indices] : locks) words.push_back(address);
    for (std::size_t i = 0; i < std::min(kMostThreads, sights.size()); ++i) {
      const ThreadFacts& facts = look.threads[i];
      if (!waits(facts.state) || !sights[i].thread->has_registers()) continue;
      for (const auto& [word, function] : stacks_.words_in_frames(*sights[i].thread, sights[i].look->window(*sights[i].thread), words))
        for (std::int32_t lock : locks[word])
          if (facts.lock != lock) look.locks[static_cast<std::size_t>(lock)].likely.push_back({facts.tid, function});
    }
  }

  // Who waits to write what it has to read waits for itself. Of waits that last: their code is looked at.
  void find_upgrades(const std::vector<Seen>& sights, ThreadLook& look) {
    constexpr std::uint64_t kLastsNs = 1'000'000'000;
    constexpr std::size_t kMostThreads = 64;
    std::size_t left = kMostThreads;
    for (std::size_t i = 0; i < sights.size() && left > 0; ++i) {
      const ThreadFacts& facts = look.threads[i];
      bool lasts = facts.since_ns && sights[i].thread->record.time_ns >= facts.since_ns + kLastsNs;
      if (!lasts || facts.lock < 0 || !waits_to_write_.contains(facts.tid) || !sights[i].thread->has_registers()) continue;
      LockFacts& lock = look.locks[static_cast<std::size_t>(facts.lock)];
      if (!lock.readers) continue;
      --left;
      std::vector<RemoteFrame> callers = stacks_.callers_of_lock(*sights[i].thread, sights[i].look->window(*sights[i].thread));
      if (std::optional<std::size_t> reads = upgrades_.find(callers, lock.address))
        lock.upgrading.push_back({facts.tid, stacks_.function_of(std::span(callers).subspan(*reads))});
    }
  }

  pid_t pid_;
  bool thorough_;
  ThreadLooker looker_;
  ProcessMemory memory_;
  std::optional<Descriptors> descriptors_;
  DataSymbols data_;
  StackCollector stacks_;
  UpgradeFinder upgrades_;
  std::set<Tid> waits_to_write_;
  ProcessChain chain_;
  CallTarget call_target_;
  std::map<Tid, Tid> kernel_tids_;
  std::map<std::pair<StackId, bool>, LockFamily> families_;
  std::optional<Result<CpuSampler>> sampler_;  // once a thread runs
};

ThreadObserver::ThreadObserver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ThreadObserver::ThreadObserver(ThreadObserver&&) noexcept = default;
ThreadObserver& ThreadObserver::operator=(ThreadObserver&&) noexcept = default;
ThreadObserver::~ThreadObserver() = default;

Result<ThreadObserver> ThreadObserver::open(pid_t pid, RecordingWriter& writer, const LookOptions& options) {
  Result<ThreadLooker> looker = ThreadLooker::open(pid, options);
  if (!looker) return looker.error();
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  if (!mappings) return mappings.error();
  return ThreadObserver(std::make_unique<Impl>(pid, *mappings, writer, std::move(*looker), options.thorough));
}

Result<ThreadLook> ThreadObserver::look() { return impl_->look(); }
Tid ThreadObserver::kernel_tid(Tid tid) const { return impl_->kernel_tid(tid); }
const std::vector<LocationSymbol>& ThreadObserver::names() { return impl_->names(); }
std::vector<std::string> ThreadObserver::problems() const { return impl_->problems(); }

}  // namespace dwell
