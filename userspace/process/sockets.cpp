// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/sockets.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cstring>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"
#include "userspace/process/sock_diag.h"

namespace dwell {
namespace {

constexpr std::array<std::string_view, 13> kTcpStates = {"",         "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
                                                         "CLOSED",   "CLOSE_WAIT",  "LAST_ACK", "LISTEN",   "CLOSING",   "NEW_SYN_RECV"};
constexpr unsigned kTcpListens = 10;

std::uint64_t parse_number(std::string_view text, int base) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// "0100007F:18EB": each four bytes of the address are a word of this machine.
bool parse_endpoint(std::string_view text, std::string& address, std::uint16_t& port) {
  std::size_t colon = text.find(':');
  if (colon == text.npos || (colon != 8 && colon != 32)) return false;
  address.resize(colon / 2);
  for (std::size_t i = 0; i < colon / 8; ++i) {
    auto word = static_cast<std::uint32_t>(parse_number(text.substr(i * 8, 8), 16));
    std::memcpy(address.data() + i * 4, &word, 4);
  }
  port = static_cast<std::uint16_t>(parse_number(text.substr(colon + 1), 16));
  return true;
}

std::string table_of(pid_t pid, std::string_view name) {
  Result<std::string> table = read_file(fmt::format("/proc/{}/net/{}", living_thread(pid), name), std::size_t{1} << 30);
  return table ? *table : "";
}

std::vector<Socket> inet_tables(pid_t pid) {
  struct Table {
    const char *name, *protocol;
  };
  constexpr Table kTables[] = {{"tcp", "TCP"}, {"tcp6", "TCP"}, {"udp", "UDP"}, {"udp6", "UDP"}};
  std::vector<Socket> sockets;
  for (const Table& table : kTables)
    for (Socket& socket : parse_inet_table(table_of(pid, table.name), table.protocol)) sockets.push_back(std::move(socket));
  return sockets;
}

void append_sockets(std::vector<Socket>& to, std::vector<Socket> sockets) {
  for (Socket& socket : sockets) to.push_back(std::move(socket));
}

// Of kinds that are asked for here only, by what the kernel lists.
void add_rare(pid_t pid, std::vector<Socket>& to) {
  for (const char* name : {"raw", "raw6"})
    for (Socket& socket : parse_inet_table(table_of(pid, name), "raw")) to.push_back(std::move(socket));
  for (const char* name : {"netlink", "packet"})
    for (Socket& socket : parse_plain_table(table_of(pid, name), name)) to.push_back(std::move(socket));
}

PortRange parse_range(std::string_view text) {
  std::vector<std::string_view> words = words_in(text.substr(0, text.find('\n')));
  if (words.size() < 2) return {};
  return {static_cast<std::uint16_t>(parse_number(words[0], 10)), static_cast<std::uint16_t>(parse_number(words[1], 10))};
}

}  // namespace

std::string_view tcp_state_name(unsigned state) { return state < kTcpStates.size() ? kTcpStates[state] : ""; }

std::string endpoint_text(std::string_view address, std::uint16_t port) {
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  char text[INET6_ADDRSTRLEN] = {};
  if (address.size() == 16 && address.starts_with(kMapped)) address.remove_prefix(kMapped.size());
  if (address.size() != 4 && address.size() != 16) return "?";
  ::inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  return address.size() == 4 ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
}

std::vector<Socket> parse_inet_table(std::string_view table, std::string_view protocol) {
  std::vector<Socket> sockets;
  for (std::string_view line : split(table, '\n')) {
    std::vector<std::string_view> fields = words_in(line);
    std::string local, peer;
    Socket socket;
    if (fields.size() < 10 || !parse_endpoint(fields[1], local, socket.local_port) || !parse_endpoint(fields[2], peer, socket.peer_port)) continue;
    socket.protocol = protocol;
    socket.local = endpoint_text(local, socket.local_port);
    if (socket.peer_port) socket.peer = endpoint_text(peer, socket.peer_port);
    auto state = static_cast<unsigned>(parse_number(fields[3], 16));
    if (protocol == "TCP") socket.state = tcp_state_name(state);
    socket.listening = protocol == "TCP" && state == kTcpListens;
    std::size_t colon = fields[4].find(':');
    if (colon != std::string_view::npos) {
      socket.send_queue = parse_number(fields[4].substr(0, colon), 16);
      socket.receive_queue = parse_number(fields[4].substr(colon + 1), 16);
    }
    socket.inode = parse_number(fields[9], 10);
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

std::vector<Socket> parse_unix_table(std::string_view table) {
  constexpr std::uint64_t kAccepts = 0x10000;  // __SO_ACCEPTCON
  std::vector<Socket> sockets;
  for (std::string_view line : split(table, '\n')) {
    std::vector<std::string_view> fields = words_in(line);
    if (fields.size() < 7 || !fields[0].ends_with(":")) continue;
    Socket socket;
    std::uint64_t type = parse_number(fields[4], 16);
    socket.protocol = type == 1 ? "UNIX stream" : type == 2 ? "UNIX datagram" : "UNIX packet";
    socket.listening = parse_number(fields[3], 16) & kAccepts;
    socket.state = socket.listening ? "LISTEN" : fields[5] == "03" ? "ESTABLISHED" : "";
    socket.inode = parse_number(fields[6], 10);
    if (fields.size() > 7) socket.local = line.substr(static_cast<std::size_t>(fields[7].data() - line.data()));
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

std::vector<Socket> parse_plain_table(std::string_view table, std::string_view protocol) {
  std::vector<Socket> sockets;
  for (std::string_view line : split(table, '\n')) {
    std::vector<std::string_view> fields = words_in(line);
    if (fields.size() < 9 || fields[0] == "sk") continue;
    Socket socket;
    socket.protocol = protocol;
    socket.inode = parse_number(fields.back(), 10);
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

SocketTable SocketTable::read(pid_t pid) {
  SocketTable table;
  Result<DiagnosedSockets> diagnosed = diagnose_sockets(pid);
  bool has_inet = diagnosed && diagnosed->inet, has_unix = diagnosed && diagnosed->unix_sockets;
  append_sockets(table.sockets_, has_inet ? std::move(*diagnosed->inet) : inet_tables(pid));
  append_sockets(table.sockets_, has_unix ? std::move(*diagnosed->unix_sockets) : parse_unix_table(table_of(pid, "unix")));
  if (diagnosed) table.ephemeral_ = parse_range(diagnosed->port_range);
  if (!diagnosed) table.problem_ = diagnosed.error().what + "; ";
  if (!has_inet) table.problem_ += "TCP sockets are read from /proc/PID/net: without backlogs, and how long they have been half closed (no inet_diag, tcp_diag); ";
  if (!has_unix) table.problem_ += "UNIX sockets are read from /proc/PID/net: without their peers and queues (no unix_diag); ";
  if (table.problem_.ends_with("; ")) table.problem_.resize(table.problem_.size() - 2);
  add_rare(pid, table.sockets_);
  table.index();
  return table;
}

SocketTable SocketTable::of(std::vector<Socket> sockets, PortRange ephemeral) {
  SocketTable table;
  table.sockets_ = std::move(sockets);
  table.ephemeral_ = ephemeral;
  table.index();
  return table;
}

void SocketTable::index() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const Socket& socket = sockets_[i];
    if (socket.inode) by_inode_.emplace(socket.inode, i);
    if (socket.protocol != "TCP") continue;
    if (socket.listening) listeners_.emplace(socket.local_port, i);
    if (!socket.peer.empty()) by_addresses_.emplace(std::pair(socket.local, socket.peer), i);
  }
}

const Socket* SocketTable::find(std::uint64_t inode) const {
  auto found = by_inode_.find(inode);
  return found == by_inode_.end() ? nullptr : &sockets_[found->second];
}

const Socket* SocketTable::peer_of(const Socket& socket) const {
  if (socket.peer_inode) return find(socket.peer_inode);
  auto found = by_addresses_.find({socket.peer, socket.local});
  return socket.peer.empty() || found == by_addresses_.end() ? nullptr : &sockets_[found->second];
}

bool SocketTable::is_accepted(const Socket& socket) const {
  return socket.protocol == "TCP" && !socket.listening && listeners_.contains(socket.local_port);
}

}  // namespace dwell
