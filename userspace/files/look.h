// SPDX-License-Identifier: Apache-2.0
// FilesLook: the descriptors of a process at one moment, with their sockets and who else holds them; and the limits that
// they count against.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/process/holders.h"
#include "userspace/process/open_files.h"
#include "userspace/process/process.h"
#include "userspace/process/sockets.h"

namespace dwell::files {

struct SeenFile {
  OpenFile file;
  std::optional<Socket> socket;
  bool accepted = false;         // a TCP connection at a port that somebody listens at
  std::string peer_name;         // of a UNIX socket without a name: that of its other side
  std::vector<Holder> also;      // other processes that have the same open
  std::vector<Holder> other_end; // of a pipe, FIFO, UNIX socket or connection within the machine; this process included
  bool has_other_end = false;    // it is of a kind that has one, and other_end is all that could be seen of it
};

struct PortUse {
  std::string from, to;   // address without port, and address with port
  std::size_t ports = 0;  // distinct local ports of the ephemeral range
};

// Of the machine; 0: not known.
struct SystemLimits {
  std::uint64_t open = 0, most = 0;        // fs.file-nr
  std::uint64_t most_of_a_process = 0;     // fs.nr_open
  std::uint64_t conntrack = 0, most_conntrack = 0;
};

struct FilesLook {
  ProcessFacts process;
  std::vector<SeenFile> files;  // by descriptor
  std::uint64_t limit = 0;      // RLIMIT_NOFILE, soft; 0: none
  SystemLimits system;
  std::uint64_t ephemeral_ports = 0;  // in the range of its network namespace; 0: not known
  std::vector<PortUse> ports;         // in use there by outgoing TCP connections, the most first
  std::vector<std::string> notes;     // what could not be seen, and why
  std::uint64_t took_ns = 0;
};

}  // namespace dwell::files
