// SPDX-License-Identifier: Apache-2.0
// SocketTable: the sockets of a network namespace, with their states, addresses and queues: from the kernel's socket
// diagnostics (sock_diag), or from /proc/PID/net where those can't be used.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

struct Socket {
  std::uint64_t inode = 0;  // 0: it belongs to no descriptor any more (TIME_WAIT)
  std::string protocol;     // "TCP", "UDP", "UNIX stream", "netlink"
  std::string state;        // "ESTABLISHED"; "" of what is not connected and has no states
  bool listening = false;
  std::string local, peer;  // "10.0.0.7:5432", "/run/a.sock"; "" if it has none
  std::uint16_t local_port = 0, peer_port = 0;
  // Bytes that wait to be read and to be delivered. Of a listener: connections that wait for accept, and how many may (0: not known).
  std::uint64_t receive_queue = 0, send_queue = 0;
  std::uint64_t peer_inode = 0;          // UNIX: the socket on the other side; 0: not known
  std::optional<std::uint64_t> quiet_ns;  // TCP in CLOSE_WAIT: since the last packet of the other side, its FIN included
};

struct PortRange {
  std::uint16_t first = 0, last = 0;
  std::size_t size() const { return last < first || !first ? 0 : last - first + 1u; }
};

class SocketTable {
 public:
  // Of the namespace that the process is in. What could not be read is missing: problem() says why.
  static SocketTable read(pid_t pid);
  // For tests.
  static SocketTable of(std::vector<Socket> sockets, PortRange ephemeral);

  const Socket* find(std::uint64_t inode) const;
  // The other side of a connection within this namespace; null: it is elsewhere, or nobody's.
  const Socket* peer_of(const Socket& socket) const;
  // Whether some socket listens at the local port of this one: then it was accepted there.
  bool is_accepted(const Socket& socket) const;
  const std::vector<Socket>& all() const { return sockets_; }
  PortRange ephemeral_ports() const { return ephemeral_; }
  const std::string& problem() const { return problem_; }

 private:
  void index();

  std::vector<Socket> sockets_;
  std::map<std::uint64_t, std::size_t> by_inode_;
  std::map<std::pair<std::string, std::string>, std::size_t> by_addresses_;  // local and peer, of connected TCP
  std::map<std::uint16_t, std::size_t> listeners_;                           // of TCP, by port
  PortRange ephemeral_;
  std::string problem_;
};

// Pure. "ESTABLISHED", by number as in include/net/tcp_states.h; "" for one that is not known.
std::string_view tcp_state_name(unsigned state);
// Pure. "10.0.0.7:80", "[::1]:80"; addresses of IPv4 within IPv6 read as IPv4. `address` has 4 or 16 bytes.
std::string endpoint_text(std::string_view address, std::uint16_t port);
// Pure. /proc/PID/net/tcp, tcp6, udp, udp6, raw, raw6: "TCP", "UDP" or "raw" is what their sockets are.
std::vector<Socket> parse_inet_table(std::string_view table, std::string_view protocol);
// Pure. /proc/PID/net/unix; netlink and packet by their last column.
std::vector<Socket> parse_unix_table(std::string_view table);
std::vector<Socket> parse_plain_table(std::string_view table, std::string_view protocol);

}  // namespace dwell
