// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/chain_explorer.h"

#include <fmt/core.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>

#include "symbolizer/proc_maps.h"
#include "userspace/process/descriptors.h"
#include "userspace/process/frozen_group.h"
#include "userspace/process/process_memory.h"
#include "userspace/threads/foreign_threads.h"
#include "userspace/threads/handled_signals.h"

namespace dwell {
namespace {

// A chain is short, or it is none that anybody could follow.
constexpr std::size_t kMostProcesses = 32, kMostThreads = 512;

bool is_output(std::uint64_t call) {
  constexpr std::uint64_t kCalls[] = {SYS_write, SYS_writev, SYS_sendto, SYS_sendmsg, SYS_sendmmsg};
  return std::ranges::find(kCalls, call) != std::end(kCalls);
}

std::vector<std::uint32_t> as_numbers(const std::vector<pid_t>& pids) { return {pids.begin(), pids.end()}; }

}  // namespace

// Another process, as far as /proc shows it.
struct ChainExplorer::Foreign {
  explicit Foreign(pid_t process) : pid(process), descriptors(process), memory(process), threads(read_foreign_threads(process)) {
    target.descriptor = [this](int fd) { return descriptors.describe(fd); };
    target.watched_by = [this](int fd) { return descriptors.watched_by(fd); };
    target.file_system = [this](int folder, const std::string& path) { return descriptors.file_system(folder, path); };
    target.memory = [this](std::uint64_t address, void* to, std::size_t size) { return memory.read(address, to, size); };
  }

  // Only its own threads can wake it: the word lies in memory that no other process has.
  bool is_private_futex(std::uint64_t operation, std::uint64_t address) {
    if (operation & FUTEX_PRIVATE_FLAG) return true;
    if (!mappings) {
      Result<std::vector<Mapping>> read = read_maps(pid);
      mappings = read ? std::move(*read) : std::vector<Mapping>();
    }
    auto in = std::ranges::find_if(*mappings, [address](const Mapping& one) { return address >= one.start && address < one.end; });
    return in != mappings->end() && !in->shared;
  }

  pid_t pid;
  std::string name;
  Descriptors descriptors;
  ProcessMemory memory;
  CallTarget target;
  std::vector<ForeignThread> threads;
  std::optional<std::vector<Mapping>> mappings;
};

ChainExplorer::ChainExplorer(pid_t pid) : own_(pid) { chain_.processes.push_back({static_cast<std::uint32_t>(pid), true, 0}); }
ChainExplorer::~ChainExplorer() = default;

void ChainExplorer::take(ChainWait wait, const WaitEnds* ends) {
  if (ends) {
    wait.wakers = as_numbers(ends->wakers);
    wait.unproved = ends->unproved;
    wait.settled = wait.settled && !ends->open;
    for (std::uint64_t file : ends->uses) ++uses_[file];
  }
  if (wait.settled) follow(wait.wakers);
  needed_.push_back(ends ? ends->needed : std::vector<FileRefs>());
  chain_.waits.push_back(std::move(wait));
}

void ChainExplorer::add_own(ChainWait wait, const WaitEnds* ends) { take(std::move(wait), ends); }

void ChainExplorer::follow(const std::vector<std::uint32_t>& wakers) {
  for (std::uint32_t waker : wakers) {
    auto pid = static_cast<pid_t>(waker);
    if (pid != own_ && !seen_.contains(pid) && std::ranges::find(next_, pid) == next_.end()) next_.push_back(pid);
  }
}

void ChainExplorer::add_thread(const Foreign& process, std::size_t index, const WaitEnds* ends) {
  const ForeignThread& thread = process.threads[index];
  ChainWait wait;
  wait.pid = static_cast<std::uint32_t>(process.pid);
  wait.tid = thread.tid;
  wait.process = process.name;
  wait.thread = thread.name;
  if (!thread.in_call) return take(std::move(wait), nullptr);
  Wait words = describe_wait(thread.call, thread.args, process.target);
  wait.waits_for = words.text();
  if (ends && !ends->words.empty()) wait.waits_for += ", " + ends->words;
  wait.settled = thread.sleeps && !words.timed;
  wait.blocked_output = is_output(thread.call);
  if (words.futex) wait.wakers = {wait.pid};
  take(std::move(wait), words.futex ? nullptr : ends);
}

void ChainExplorer::add_process(pid_t pid) {
  seen_[pid] = std::make_unique<Foreign>(pid);
  Foreign& process = *seen_[pid];
  std::size_t count = process.threads.size();
  bool whole = count > 0 && count <= kMostThreads && frozen_group_of(pid).empty();
  for (const ForeignThread& thread : process.threads) {
    bool futex = thread.in_call && thread.call == SYS_futex;
    whole = whole && thread.sleeps && thread.in_call && (!futex || process.is_private_futex(thread.args[1], thread.args[0]));
    if (thread.tid == static_cast<Tid>(pid)) process.name = thread.name;
  }
  chain_.processes.push_back({static_cast<std::uint32_t>(pid), whole, whole ? handled_signals(pid) : 0});
  // One that runs ends the chain: it may wake whoever waits for it.
  if (!whole) return;
  std::vector<BlockedCall> calls;
  for (const ForeignThread& thread : process.threads) {
    BlockedCall& call = calls.emplace_back();
    call.pid = pid;
    call.tid = thread.tid;
    call.call = thread.call;
    std::ranges::copy(thread.args, call.args);
    call.target = &process.target;
    call.many_threads = count > 1;
  }
  std::vector<WaitEnds> ends = ends_.find(calls);
  for (std::size_t i = 0; i < count; ++i) add_thread(process, i, &ends[i]);
}

// Whoever refers to an open file without a descriptor may use it: one that is on its way in a socket, or an io_uring.
void ChainExplorer::check_refs() {
  for (std::size_t i = 0; i < chain_.waits.size(); ++i) {
    for (const FileRefs& file : needed_[i]) {
      auto uses = uses_.find(file.file);
      std::uint64_t known = file.descriptors + (uses == uses_.end() ? 0 : uses->second);
      if (file.refs > known && chain_.waits[i].unproved.empty())
        chain_.waits[i].unproved = "the other end is also held without a descriptor: on its way in a socket, by an io_uring, or by a process that just ends";
    }
  }
}

WaitChain ChainExplorer::explore(std::uint64_t handled_signals) {
  chain_.processes.front().handled_signals = handled_signals;
  while (!next_.empty() && seen_.size() < kMostProcesses) {
    pid_t pid = next_.back();
    next_.pop_back();
    add_process(pid);
  }
  check_refs();
  for (const auto& [pid, process] : seen_) {
    std::vector<ForeignThread> now = read_foreign_threads(pid);
    for (ChainWait& wait : chain_.waits) {
      if (static_cast<pid_t>(wait.pid) != pid) continue;
      auto before = std::ranges::find(process->threads, wait.tid, &ForeignThread::tid), after = std::ranges::find(now, wait.tid, &ForeignThread::tid);
      bool same = after != now.end() && now.size() == process->threads.size() && after->switches == before->switches && after->sleeps;
      wait.settled = wait.settled && same;
    }
  }
  return std::move(chain_);
}

}  // namespace dwell
