// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/lock_blocks.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "userspace/threads/report.h"

namespace dwell {
namespace {

// The wall clock may have been corrected between two recordings of one boot.
constexpr std::int64_t kSameBootNs = 60'000'000'000;

std::int64_t boot_unix_ns(const RecordingInfo& info) {
  return static_cast<std::int64_t>(info.start_unix_ns - info.start_monotonic_ns);
}

std::uint64_t look_ns(const ThreadReport& report) { return report.info.start_monotonic_ns + report.time_ns; }

// A process id may be another process's by now: no thread of the same one is younger than the recording of
// it, if it is the first.
bool is_same(const ProcessInfo& process, const ThreadReport& report) {
  if (process.pid != report.process.pid || process.start_ns > look_ns(report)) return false;
  auto first = std::ranges::find(report.threads, process.pid,
                                 [](const ThreadRow& thread) { return thread.facts.tid; });
  return first == report.threads.end() || first->facts.started_ns <= process.start_ns;
}

std::optional<ProcessSlot> find_process(const Recording& memory, const ThreadReport& report) {
  if (std::abs(boot_unix_ns(memory.info) - boot_unix_ns(report.info)) > kSameBootNs) return std::nullopt;
  for (std::size_t slot = memory.processes.size(); slot-- > 0;)
    if (is_same(memory.processes[slot], report)) return static_cast<ProcessSlot>(slot);
  return std::nullopt;
}

}  // namespace

Result<void> can_tell_lock_blocks(const Recording& memory, const BlockSites& sites, const ThreadReport& report) {
  if (!find_process(memory, report))
    return Error{fmt::format("look up locks: that recording is not of process {} ({})", report.process.pid,
                             report.process.name),
                 fmt::format("make one: dwell record -p {}", report.process.pid), Exit::kUsage};
  if (!sites.has_blocks(memory))
    return Error{"look up locks: that recording holds no live blocks",
                 "they are written when a recording ends: end it first", Exit::kUsage};
  return {};
}

void find_lock_blocks(const Recording& memory, const BlockSites& sites, ThreadReport& report) {
  report.lock_blocks.assign(report.locks.size(), std::nullopt);
  std::optional<ProcessSlot> process = find_process(memory, report);
  if (!process || report.locks.empty() || !sites.has_blocks(memory)) return;
  std::vector<std::size_t> locks;
  std::vector<std::uint64_t> addresses;
  for (std::size_t i = 0; i < report.locks.size(); ++i) {
    if (report.locks[i].kind == WaitKind::kJoin) continue;
    locks.push_back(i);
    addresses.push_back(report.locks[i].address);
  }
  std::vector<std::optional<BlockSite>> found = sites.find(memory, *process, look_ns(report), addresses);
  for (std::size_t i = 0; i < locks.size(); ++i) report.lock_blocks[locks[i]] = std::move(found[i]);
}

}  // namespace dwell
