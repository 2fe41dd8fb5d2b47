// SPDX-License-Identifier: Apache-2.0
// sock_diag: the kernel's socket diagnostics (NETLINK_SOCK_DIAG), asked within the network namespace of a process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/process/sockets.h"

namespace dwell {

struct DiagnosedSockets {
  std::optional<std::vector<Socket>> inet, unix_sockets;  // none: this kernel has no diagnostics of that family (a module)
  std::string port_range;  // net.ipv4.ip_local_port_range of that namespace, "32768\t60999"
};

// Enters the namespace in a thread of its own, which ends before this returns.
Result<DiagnosedSockets> diagnose_sockets(pid_t pid);

// Pure. One answer of the kernel, without its netlink header.
bool parse_inet_diag(std::span<const std::byte> message, std::string_view protocol, Socket& socket);
bool parse_unix_diag(std::span<const std::byte> message, Socket& socket);

}  // namespace dwell
