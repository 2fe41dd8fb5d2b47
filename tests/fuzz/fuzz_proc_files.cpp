// SPDX-License-Identifier: Apache-2.0
// The small files of /proc/PID: status, cgroup, fdinfo, timers, the tables of sockets. Names and paths in them are the
// target's to choose.
#include <cstdlib>

#include "tests/fuzz/memory_bound.h"
#include "userspace/clocks/probes.h"
#include "userspace/go/waits/waits.h"
#include "userspace/process/process.h"
#include "userspace/process/descriptors.h"
#include "userspace/process/open_files.h"
#include "userspace/process/sock_diag.h"

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
  for (const char* protocol : {"TCP", "UDP"})
    for (const dwell::Socket& socket : dwell::parse_inet_table(text, protocol))
      if (dwell::socket_words(socket).size() > 256) std::abort();
  if (dwell::parse_unix_table(text).size() > size || dwell::parse_plain_table(text, "netlink").size() > size) std::abort();
  dwell::OpenFile file = dwell::classify_file(text.substr(0, text.find('\n')), {});
  dwell::add_fdinfo(text, file);
  if (file.name.size() > size || file.watched.size() > size) std::abort();
  dwell::Socket diagnosed;
  dwell::parse_inet_diag({reinterpret_cast<const std::byte*>(data), size}, "TCP", diagnosed);
  dwell::parse_unix_diag({reinterpret_cast<const std::byte*>(data), size}, diagnosed);
  return 0;
}
