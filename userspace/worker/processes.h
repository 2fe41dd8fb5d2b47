// SPDX-License-Identifier: Apache-2.0
// The processes behind the parser; parser.h is what others use.
//
//   dwell ──questions──▶ parser ──"open this"──▶ opener
//     └──"another pair"──▶ nursery, the parent of both
//
// parser   reads what the target has made: ELF, DWARF, unwind tables, symbols, perf maps. It has no capability, no user
//          of its own, no file system, no network, no new process: only descriptors that it is given, memory up to a
//          limit, and the sockets.
// opener   opens files for it: regular ones that begin as ELF files do, perf maps of a process's owner, the kernel's
//          symbols. It reads nothing but four bytes of them.
// nursery  started before dwell has anything that they could inherit. Starts a fresh pair when one has died, or has to.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "userspace/base/privileges.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

struct ParserPids {
  pid_t opener = -1, parser = -1;
};

// Questions to the nursery: one byte. kStart comes with the parser's end of a socket, and is answered with ParserPids;
// kEnd with the parser's wait status, an int. The pair before is ended first.
// kCountRunTime with a descriptor while which is open the kernel counts how long BPF programs run: the one thing that
// needs CAP_SYS_ADMIN, which dwell itself gives up.
enum class NurseryQuestion : char { kStart = 'S', kEnd = 'E', kCountRunTime = 'T' };

struct ParserLimits {
  std::uint64_t memory_bytes;
};

// To read, and the two that dwell has besides: who has less than another process may not open what that holds open.
std::vector<Capability> opener_capabilities();

// What each of them does, to its end.
[[noreturn]] void run_nursery(UniqueFd control, ParserLimits limits);
[[noreturn]] void run_opener(UniqueFd parser);
[[noreturn]] void run_parser(UniqueFd questions, UniqueFd opener, ParserLimits limits);

// How a parser ends whose memory is at its limit.
inline constexpr int kOutOfMemory = 9;

}  // namespace dwell
