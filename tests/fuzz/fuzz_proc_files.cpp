// SPDX-License-Identifier: Apache-2.0
// The small files of /proc/PID: status, cgroup, fdinfo, timers, the tables of sockets. Names and paths in them are the
// target's to choose.
#include <cstdlib>

#include "tests/fuzz/memory_bound.h"
#include "userspace/clocks/probes.h"
#include "userspace/go/waits/waits.h"
#include "userspace/process/process.h"
#include "userspace/process/descriptors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::MemoryBound bound(size, 64 << 10, 200);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"Name", "Tgid", "NSpid", "Threads"})
    if (dwell::status_field(text, name).size() > size) std::abort();
  std::string container = dwell::container_in_cgroup(std::string(text));
  if (!container.empty() && container.size() != 64) std::abort();
  if (dwell::parse_watched(text).size() > size) std::abort();
  if (dwell::parse_epoll(text).size() > size) std::abort();
  if (dwell::parse_timers(text).size() > size) std::abort();
  for (const char* protocol : {"tcp", "udp"})
    if (dwell::parse_inet_socket(text, protocol).words.size() > 256) std::abort();
  return 0;
}
