// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/stack_completer.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "userspace/unwind/remote_unwinder.h"

namespace dwell {
namespace {

constexpr std::size_t kMostModules = 64;  // that one stack leads through

bool lacks_table(dwell_stack_end end) { return end == DWELL_STACK_NO_MAPPING || end == DWELL_STACK_TABLE_PENDING; }

// The walk reads ahead. What lies above what was kept is in no mapping, so a walk that needs it ends there.
MemoryReader reader_of(const StackRest& rest) {
  return [&rest](std::uint64_t address, void* to, std::size_t size) {
    constexpr unsigned char kNowhere = 0x01;
    std::uint64_t at = address - rest.sp;
    if (at >= rest.bytes.size()) return false;
    std::size_t kept = std::min<std::size_t>(size, rest.bytes.size() - at);
    std::memcpy(to, rest.bytes.data() + at, kept);
    std::memset(static_cast<char*>(to) + kept, kNowhere, size - kept);
    return true;
  };
}

}  // namespace

void StackCompleter::complete(pid_t pid, const AddressSpace& space, const ModuleTable& modules, const StackRest& rest,
                              WalkedStack& stack) {
  dwell_stack_start start = {};
  start.pc = rest.pc;
  start.sp = rest.sp;
  start.bp = rest.bp;
  start.flags = rest.exact ? DWELL_PC_EXACT : 0;
  std::vector<Mapping> known;
  RemoteStack walked{{}, DWELL_STACK_NO_MAPPING};
  // Tables are loaded for what the walk comes to, one after the other.
  while (known.size() < kMostModules) {
    std::uint64_t next = walked.frames.empty() ? rest.pc : walked.frames.back().pc;
    bool exact = walked.frames.empty() ? rest.exact : walked.frames.back().exact;
    std::optional<CodeRange> range = space.range_at(exact ? next : next - 1, stack.time_ns);
    bool again = range && std::ranges::any_of(known, [&](const Mapping& one) { return one.start == range->start; });
    if (!range || again) break;
    known.push_back(modules.mapping_of(*range));
    tables_.sync(pid, 0, known);
    walked = walk_stack(tables_.memory(), 0, start, reader_of(rest), 0, {}, rest.sp + rest.bytes.size());
    if (!lacks_table(walked.end)) break;
  }
  if (walked.frames.empty()) return;
  for (std::size_t i = 1; i < walked.frames.size() && stack.pcs.size() < DWELL_MAX_FRAMES; ++i) {
    stack.pcs.push_back(walked.frames[i].pc);
    stack.exact.push_back(walked.frames[i].exact);
  }
  stack.end = static_cast<std::uint8_t>(walked.end);
}

}  // namespace dwell
