// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/process_chain.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "symbolizer/proc_maps.h"
#include "userspace/base/files.h"
#include "userspace/process/process.h"

namespace dwell {
namespace {

bool sleeps(const ThreadFacts& facts) { return facts.state == ThreadState::kSleeping || facts.state == ThreadState::kUninterruptible; }

std::uint32_t process_of(Tid tid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", tid), 1 << 16);
  return status ? static_cast<std::uint32_t>(std::strtoul(status_field(*status, "Tgid").c_str(), nullptr, 10)) : 0;
}

std::string name_of_process(pid_t pid) {
  Result<std::string> name = read_file(fmt::format("/proc/{}/comm", pid), 64);
  return name ? name->substr(0, name->find('\n')) : "";
}

// The call that a thread is in, if another process may end it.
std::optional<BlockedCall> blocked_call(pid_t pid, const SeenThread& thread, const ThreadFacts& facts) {
  const dwell_thread_record& record = thread.record;
  if (!sleeps(facts) || record.call == DWELL_NO_CALL || facts.lock >= 0) return std::nullopt;
  BlockedCall call;
  call.pid = pid;
  call.tid = record.tid;
  call.call = record.call;
  std::copy(std::begin(record.args), std::end(record.args), call.args);
  return call;
}

}  // namespace

ChainWait ProcessChain::own_wait(const ThreadLook& look, const ThreadFacts& facts) const {
  ChainWait wait;
  wait.pid = static_cast<std::uint32_t>(pid_);
  wait.tid = facts.tid;
  wait.process = process_name_;
  wait.thread = facts.name;
  wait.waits_for = facts.waits_for;
  wait.since_ns = facts.since_ns;
  wait.stack = facts.stack;
  wait.settled = sleeps(facts) && !facts.moved && !facts.timed;
  wait.blocked_output = facts.wait == WaitKind::kOutput;
  const LockFacts* lock = facts.lock < 0 ? nullptr : &look.locks[static_cast<std::size_t>(facts.lock)];
  if (lock && !lock->shared) wait.wakers = {wait.pid};
  bool held_elsewhere = lock && lock->shared && lock->owner_state == OwnerState::kElsewhere && lock->owner;
  if (held_elsewhere) wait.wakers = {process_of(lock->owner)};
  return wait;
}

void ProcessChain::follow(std::span<const SeenThread* const> threads, const CallTarget& target, ThreadLooker& looker, ThreadLook& look) {
  process_name_ = name_of_process(pid_);
  std::vector<BlockedCall> calls;
  std::vector<std::optional<std::size_t>> call_of(threads.size());
  for (std::size_t i = 0; i < threads.size(); ++i) {
    std::optional<BlockedCall> call = blocked_call(pid_, *threads[i], look.threads[i]);
    if (!call) continue;
    call->target = &target;
    call->many_threads = threads.size() > 1;
    call_of[i] = calls.size();
    calls.push_back(*call);
  }
  ChainExplorer explorer(pid_);
  std::vector<WaitEnds> ends = explorer.find_ends(calls);
  for (std::size_t i = 0; i < threads.size(); ++i) {
    ThreadFacts& facts = look.threads[i];
    const WaitEnds* end = call_of[i] ? &ends[*call_of[i]] : nullptr;
    if (end && !end->words.empty()) facts.waits_for += ", " + end->words;
    if (facts.state != ThreadState::kEnded) explorer.add_own(own_wait(look, facts), end);
  }
  WaitChain chain = explorer.explore(look.handled_signals.value_or(~std::uint64_t{0}));
  problem_ = explorer.problem();
  confirm(threads, looker, chain);
  if (find_process_circles(chain).empty()) return;
  look.chain = std::move(chain);
  add_stacks(look);
}

// What was found out about others holds of a moment at which the process's own threads slept, too.
void ProcessChain::confirm(std::span<const SeenThread* const> threads, ThreadLooker& looker, WaitChain& chain) const {
  if (std::ranges::none_of(chain.waits, [&](const ChainWait& wait) { return wait.settled && !is_own(wait); })) return;
  Result<RawLook> now = looker.look_at_times();
  for (ChainWait& wait : chain.waits) {
    if (!is_own(wait)) continue;
    auto before = std::ranges::find_if(threads, [&](const SeenThread* one) { return one->record.tid == wait.tid; });
    const SeenThread* later = now && before != threads.end() ? now->find(wait.tid) : nullptr;
    bool same = later && later->switches() == (*before)->switches() && !later->on_cpu() && now->threads.size() == threads.size();
    wait.settled = wait.settled && same;
  }
}

void ProcessChain::add_stacks(ThreadLook& look) {
  others_.clear();
  for (const ChainProcess& process : look.chain.processes)
    if (process.whole && static_cast<pid_t>(process.pid) != pid_) add_stacks_of(static_cast<pid_t>(process.pid), look.chain);
}

void ProcessChain::add_stacks_of(pid_t pid, WaitChain& chain) {
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  Result<ThreadLooker> looker = ThreadLooker::open(pid);
  if (!mappings || !looker) return;
  Result<RawLook> raw = looker->look();
  if (!raw) return;
  StackCollector& stacks = *others_.emplace_back(std::make_unique<StackCollector>(pid, *mappings, writer_));
  for (ChainWait& wait : chain.waits) {
    const SeenThread* thread = wait.pid == static_cast<std::uint32_t>(pid) ? raw->find(wait.tid) : nullptr;
    if (!thread || !thread->has_registers() || thread->on_cpu()) continue;
    wait.stack = stacks.user_stack(*thread, raw->window(*thread));
    wait.since_ns = raw->last_ran_ns(*thread);
  }
}

const std::vector<LocationSymbol>& ProcessChain::add_names(const std::vector<LocationSymbol>& own) {
  if (others_.empty()) return own;
  names_ = own;
  for (const std::unique_ptr<StackCollector>& other : others_) {
    const std::vector<LocationSymbol>& more = other->names();
    names_.resize(std::max(names_.size(), more.size()));
    for (std::size_t i = 0; i < more.size(); ++i)
      if (names_[i].frames.empty()) names_[i] = more[i];
  }
  return names_;
}

}  // namespace dwell
