// SPDX-License-Identifier: Apache-2.0
// Codec of looks at threads. Each thread and each lock has its length in front, so that a later version can
// say more of it.
#include <fmt/core.h>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/threads/part.h"
#include "userspace/threads/codec.h"

namespace dwell {

namespace {

constexpr std::uint64_t kTimed = 1, kMoved = 2;

std::string encode_thread(const ThreadFacts& thread) {
  std::string out;
  put_uleb(out, thread.tid);
  put_uleb(out, thread.own_tid);
  put_text(out, thread.name);
  put_uleb(out, static_cast<std::uint64_t>(thread.state));
  put_uleb(out, static_cast<std::uint64_t>(thread.wait));
  put_uleb(out, (thread.timed ? kTimed : 0) | (thread.moved ? kMoved : 0));
  put_text(out, thread.waits_for);
  put_uleb(out, static_cast<std::uint64_t>(thread.lock + 1));
  put_uleb(out, static_cast<std::uint64_t>(thread.call + 1));
  put_uleb(out, thread.since_ns);
  put_uleb(out, thread.started_ns);
  put_uleb(out, thread.cpu_ns);
  put_uleb(out, thread.voluntary_switches);
  put_uleb(out, thread.involuntary_switches);
  put_uleb(out, static_cast<std::uint64_t>(thread.stack));
  put_uleb(out, static_cast<std::uint64_t>(thread.kernel_stack));
  if (!thread.busy_over_ns) return out;
  put_uleb(out, thread.busy_ns);
  put_uleb(out, thread.busy_over_ns);
  put_text(out, thread.spins);
  put_text(out, thread.spins_on);
  return out;
}

// What a later version has added reads as the most general of what is known here.
template <typename Enum>
Enum known(std::uint64_t value, Enum end, Enum otherwise) {
  return value < static_cast<std::uint64_t>(end) ? static_cast<Enum>(value) : otherwise;
}

std::string decode_thread(std::string_view bytes, std::size_t locks, std::size_t stacks,
                          ThreadFacts& thread) {
  Cursor in(bytes);
  thread.tid = static_cast<Tid>(in.uleb());
  thread.own_tid = static_cast<Tid>(in.uleb());
  thread.name = get_text(in);
  thread.state = known(in.uleb(), ThreadState::kStates, ThreadState::kSleeping);
  thread.wait = known(in.uleb(), WaitKind::kKinds, WaitKind::kOther);
  std::uint64_t flags = in.uleb();
  thread.timed = flags & kTimed;
  thread.moved = flags & kMoved;
  thread.waits_for = get_text(in);
  std::uint64_t lock = in.uleb();
  thread.call = static_cast<std::int32_t>(in.uleb()) - 1;
  thread.since_ns = in.uleb();
  thread.started_ns = in.uleb();
  thread.cpu_ns = in.uleb();
  thread.voluntary_switches = in.uleb();
  thread.involuntary_switches = in.uleb();
  std::uint64_t stack = in.uleb(), kernel_stack = in.uleb();
  if (!in.at_end()) thread.busy_ns = in.uleb(), thread.busy_over_ns = in.uleb();
  if (!in.at_end()) thread.spins = get_text(in), thread.spins_on = get_text(in);
  if (!in.ok()) return kTooShort;
  if (lock > locks) return fmt::format("thread {} waits for lock {} of {}", thread.tid, lock, locks);
  if (stack >= stacks || kernel_stack >= stacks)
    return fmt::format("thread {} has stack {} of {}", thread.tid, std::max(stack, kernel_stack), stacks);
  thread.lock = static_cast<std::int32_t>(lock) - 1;
  thread.stack = static_cast<StackId>(stack);
  thread.kernel_stack = static_cast<StackId>(kernel_stack);
  return "";
}

void put_holders(std::string& out, const std::vector<LikelyHolder>& holders) {
  put_uleb(out, holders.size());
  for (const LikelyHolder& holder : holders) {
    put_uleb(out, holder.tid);
    put_text(out, holder.function);
  }
}

std::vector<LikelyHolder> get_holders(Cursor& in) {
  std::vector<LikelyHolder> holders;
  for (std::size_t left = get_count<LikelyHolder>(in); left > 0 && in.ok(); --left) {
    Tid tid = static_cast<Tid>(in.uleb());
    holders.push_back({tid, std::string(get_text(in))});
  }
  return holders;
}

std::string encode_lock(const LockFacts& lock) {
  std::string out;
  put_uleb(out, lock.address);
  put_uleb(out, static_cast<std::uint64_t>(lock.kind));
  put_text(out, lock.words);
  put_uleb(out, static_cast<std::uint64_t>(lock.owner_state));
  put_uleb(out, lock.owner);
  put_text(out, lock.owner_words);
  put_uleb(out, lock.shared);
  put_holders(out, lock.likely);
  put_uleb(out, lock.readers);
  put_holders(out, lock.upgrading);
  return out;
}

bool decode_lock(std::string_view bytes, LockFacts& lock) {
  Cursor in(bytes);
  lock.address = in.uleb();
  lock.kind = known(in.uleb(), WaitKind::kKinds, WaitKind::kFutex);
  lock.words = get_text(in);
  lock.owner_state = known(in.uleb(), OwnerState::kStates, OwnerState::kUnnamed);
  lock.owner = static_cast<Tid>(in.uleb());
  lock.owner_words = get_text(in);
  lock.shared = in.uleb() != 0;
  if (!in.at_end()) lock.likely = get_holders(in);
  if (!in.at_end()) {
    lock.readers = static_cast<std::uint32_t>(in.uleb());
    lock.upgrading = get_holders(in);
  }
  return in.ok();
}

constexpr std::uint64_t kSettled = 1, kBlockedOutput = 2;

std::string encode_chain_process(const ChainProcess& process) {
  std::string out;
  put_uleb(out, process.pid);
  put_uleb(out, process.whole);
  put_uleb(out, process.handled_signals);
  return out;
}

std::string encode_chain_wait(const ChainWait& wait) {
  std::string out;
  put_uleb(out, wait.pid);
  put_uleb(out, wait.tid);
  put_text(out, wait.process);
  put_text(out, wait.thread);
  put_text(out, wait.waits_for);
  put_uleb(out, wait.since_ns);
  put_uleb(out, static_cast<std::uint64_t>(wait.stack));
  put_uleb(out, (wait.settled ? kSettled : 0) | (wait.blocked_output ? kBlockedOutput : 0));
  put_text(out, wait.unproved);
  put_uleb(out, wait.wakers.size());
  for (std::uint32_t waker : wait.wakers) put_uleb(out, waker);
  return out;
}

bool decode_chain_process(std::string_view bytes, ChainProcess& process) {
  Cursor in(bytes);
  process.pid = static_cast<std::uint32_t>(in.uleb());
  process.whole = in.uleb() != 0;
  process.handled_signals = in.uleb();
  return in.ok();
}

std::string decode_chain_wait(std::string_view bytes, std::size_t stacks, ChainWait& wait) {
  Cursor in(bytes);
  wait.pid = static_cast<std::uint32_t>(in.uleb());
  wait.tid = static_cast<Tid>(in.uleb());
  wait.process = get_text(in);
  wait.thread = get_text(in);
  wait.waits_for = get_text(in);
  wait.since_ns = in.uleb();
  std::uint64_t stack = in.uleb(), flags = in.uleb();
  wait.unproved = get_text(in);
  for (std::size_t left = get_count<std::uint32_t>(in); left > 0; --left) wait.wakers.push_back(static_cast<std::uint32_t>(in.uleb()));
  if (!in.ok()) return kTooShort;
  if (stack >= stacks) return fmt::format("thread {} has stack {} of {}", wait.tid, stack, stacks);
  wait.stack = static_cast<StackId>(stack);
  wait.settled = flags & kSettled;
  wait.blocked_output = flags & kBlockedOutput;
  return "";
}

std::string encode_chain(const WaitChain& chain) {
  std::string out;
  if (chain.waits.empty()) return out;
  put_uleb(out, chain.processes.size());
  for (const ChainProcess& process : chain.processes) put_text(out, encode_chain_process(process));
  put_uleb(out, chain.waits.size());
  for (const ChainWait& wait : chain.waits) put_text(out, encode_chain_wait(wait));
  return out;
}

std::string decode_chain(std::string_view bytes, std::size_t stacks, WaitChain& chain) {
  Cursor in(bytes);
  if (in.at_end()) return "";
  for (std::size_t left = get_count<ChainProcess>(in); left > 0; --left)
    if (!decode_chain_process(get_text(in), chain.processes.emplace_back())) return kTooShort;
  for (std::size_t left = get_count<ChainWait>(in); left > 0; --left)
    if (std::string wrong = decode_chain_wait(get_text(in), stacks, chain.waits.emplace_back()); !wrong.empty()) return wrong;
  return in.ok() ? "" : kTooShort;
}

}  // namespace

std::string encode_look(const ThreadLook& look) {
  std::string out;
  put_uleb(out, look.time_ns);
  put_uleb(out, look.duration_ns);
  put_uleb(out, look.process);
  put_uleb(out, look.locks.size());
  for (const LockFacts& lock : look.locks) put_text(out, encode_lock(lock));
  put_uleb(out, look.threads.size());
  for (const ThreadFacts& thread : look.threads) put_text(out, encode_thread(thread));
  if (!look.handled_signals) return out;
  put_uleb(out, *look.handled_signals);
  put_text(out, encode_chain(look.chain));
  return out;
}

std::string decode_look(Cursor& in, Recording& out) {
  ThreadLook look;
  look.time_ns = in.uleb();
  look.duration_ns = in.uleb();
  std::uint64_t process = in.uleb();
  if (process >= out.processes.size()) return fmt::format("process {} of {}", process, out.processes.size());
  look.process = static_cast<ProcessSlot>(process);
  // Grown one by one: a number that lies fails at the first of them that is not there.
  for (std::size_t left = get_count<LockFacts>(in); left > 0; --left) {
    if (!decode_lock(get_text(in), look.locks.emplace_back())) return kTooShort;
  }
  for (std::size_t left = get_count<ThreadFacts>(in); left > 0; --left) {
    ThreadFacts& thread = look.threads.emplace_back();
    std::string wrong = decode_thread(get_text(in), look.locks.size(), out.stacks.size(), thread);
    if (!wrong.empty()) return wrong;
  }
  if (in.ok() && !in.at_end()) look.handled_signals = in.uleb();
  if (in.ok() && !in.at_end())
    if (std::string wrong = decode_chain(get_text(in), out.stacks.size(), look.chain); !wrong.empty()) return wrong;
  if (!in.ok()) return kTooShort;
  threads_of(out).looks.push_back(std::move(look));
  return "";
}

}  // namespace dwell
