// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/sock_diag.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "userspace/base/cursor.h"
#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/time_units.h"
#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

constexpr unsigned kEstablished = 1, kCloseWait = 8, kListens = 10;  // include/net/tcp_states.h
constexpr std::uint32_t kAllStates = ~0u, kLeftByPeer = 1u << kCloseWait;
constexpr std::size_t kAnswerBytes = 256 << 10;

// What is in a namespace: a socket to ask it by, and its range of ports.
struct Inside {
  UniqueFd diag;
  std::string port_range;
  int error = 0;
};

Inside open_here() {
  Inside inside;
  inside.diag.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  inside.error = inside.diag.valid() ? 0 : errno;
  timeval patience{5, 0};
  if (inside.diag.valid()) ::setsockopt(inside.diag.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (Result<std::string> range = read_file("/proc/sys/net/ipv4/ip_local_port_range", 64)) inside.port_range = *range;
  return inside;
}

bool is_our_namespace(const std::string& path) {
  struct stat ours {}, theirs {};
  return ::stat("/proc/thread-self/ns/net", &ours) == 0 && ::stat(path.c_str(), &theirs) == 0 && ours.st_ino == theirs.st_ino &&
         ours.st_dev == theirs.st_dev;
}

Inside open_in_namespace_of(pid_t pid) {
  std::string path = fmt::format("/proc/{}/ns/net", living_thread(pid));
  if (is_our_namespace(path)) return open_here();
  UniqueFd ns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Inside inside;
  inside.error = errno;
  if (!ns.valid()) return inside;
  // A thread's namespace is its own: ours stays as it is.
  std::thread([&] {
    if (::setns(ns.get(), CLONE_NEWNET) == 0)
      inside = open_here();
    else
      inside.error = errno;
  }).join();
  return inside;
}

template <typename Request>
bool ask(int diag, const Request& request) {
  struct {
    nlmsghdr header;
    Request request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request = request;
  return ::send(diag, &message, sizeof message, 0) == static_cast<ssize_t>(sizeof message);
}

// Every message of the answer to `take`; what went wrong, 0 if nothing did.
template <typename Take>
int read_answer(int diag, Take take) {
  std::vector<char> buffer(kAnswerBytes);
  for (;;) {
    ssize_t size = ::recv(diag, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return size < 0 ? errno : EPIPE;
    auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
    for (std::size_t left = static_cast<std::size_t>(size); NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) return -static_cast<nlmsgerr*>(NLMSG_DATA(message))->error;
      take(std::span(static_cast<const std::byte*>(NLMSG_DATA(message)), message->nlmsg_len - NLMSG_HDRLEN));
    }
  }
}

int dump_inet(int diag, int family, int protocol, std::string_view name, std::uint32_t states, std::vector<Socket>& to) {
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<__u8>(family);
  request.sdiag_protocol = static_cast<__u8>(protocol);
  // The kernel locks a socket to read its times, so only few are asked for them.
  bool with_times = states == kLeftByPeer;
  request.idiag_states = states;
  if (with_times) request.idiag_ext = 1 << (INET_DIAG_INFO - 1);
  if (!ask(diag, request)) return errno;
  return read_answer(diag, [&](std::span<const std::byte> message) {
    Socket socket;
    if (parse_inet_diag(message, name, socket)) to.push_back(std::move(socket));
  });
}

bool dump_all_inet(int diag, std::vector<Socket>& to) {
  for (int family : {AF_INET, AF_INET6}) {
    bool all = dump_inet(diag, family, IPPROTO_TCP, "TCP", kAllStates & ~kLeftByPeer, to) == 0 &&
               dump_inet(diag, family, IPPROTO_TCP, "TCP", kLeftByPeer, to) == 0 && dump_inet(diag, family, IPPROTO_UDP, "UDP", kAllStates, to) == 0;
    if (!all) return false;
  }
  return true;
}

int dump_unix(int diag, std::vector<Socket>& to) {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0u;
  request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
  if (!ask(diag, request)) return errno;
  return read_answer(diag, [&](std::span<const std::byte> message) {
    Socket socket;
    if (parse_unix_diag(message, socket)) to.push_back(std::move(socket));
  });
}

std::string_view bytes_of(const void* address, std::size_t size) { return {static_cast<const char*>(address), size}; }

// Attributes behind the fixed part of a message.
template <typename Each>
void for_each_attribute(Cursor& in, Each each) {
  constexpr std::size_t kHeader = 4;
  while (in.remaining() >= kHeader) {
    std::size_t length = in.u16();
    std::uint16_t type = in.u16();
    if (length < kHeader || length - kHeader > in.remaining()) return;
    std::size_t begin = in.offset(), size = length - kHeader;
    each(type, begin, size);
    std::size_t padded = (size + 3) & ~std::size_t{3};
    if (padded >= in.remaining()) return;
    in.seek(begin + padded);
  }
}

}  // namespace

bool parse_inet_diag(std::span<const std::byte> message, std::string_view protocol, Socket& socket) {
  Cursor in(message);
  inet_diag_msg found = in.fixed<inet_diag_msg>();
  if (!in.ok() || (found.idiag_family != AF_INET && found.idiag_family != AF_INET6)) return false;
  std::size_t size = found.idiag_family == AF_INET ? 4 : 16;
  socket.inode = found.idiag_inode;
  socket.protocol = protocol;
  bool of_tcp = protocol == "TCP";
  if (of_tcp) socket.state = tcp_state_name(found.idiag_state);
  socket.listening = of_tcp && found.idiag_state == kListens;
  socket.local_port = ntohs(found.id.idiag_sport);
  socket.peer_port = ntohs(found.id.idiag_dport);
  socket.local = endpoint_text(bytes_of(found.id.idiag_src, size), socket.local_port);
  if (socket.peer_port) socket.peer = endpoint_text(bytes_of(found.id.idiag_dst, size), socket.peer_port);
  socket.receive_queue = found.idiag_rqueue;
  socket.send_queue = found.idiag_wqueue;
  for_each_attribute(in, [&](std::uint16_t type, std::size_t begin, std::size_t length) {
    if (type != INET_DIAG_INFO || length < offsetof(tcp_info, tcpi_last_ack_recv) + sizeof(__u32)) return;
    __u32 milliseconds = 0;
    std::memcpy(&milliseconds, message.data() + begin + offsetof(tcp_info, tcpi_last_ack_recv), sizeof milliseconds);
    socket.quiet_ns = milliseconds * kMillisecond;
  });
  return true;
}

bool parse_unix_diag(std::span<const std::byte> message, Socket& socket) {
  Cursor in(message);
  unix_diag_msg found = in.fixed<unix_diag_msg>();
  if (!in.ok() || found.udiag_family != AF_UNIX) return false;
  socket.inode = found.udiag_ino;
  socket.protocol = found.udiag_type == SOCK_STREAM ? "UNIX stream" : found.udiag_type == SOCK_DGRAM ? "UNIX datagram" : "UNIX packet";
  socket.listening = found.udiag_state == kListens;
  socket.state = found.udiag_state == kListens || found.udiag_state == kEstablished ? std::string(tcp_state_name(found.udiag_state)) : "";
  for_each_attribute(in, [&](std::uint16_t type, std::size_t begin, std::size_t length) {
    const std::byte* at = message.data() + begin;
    __u32 values[2] = {};
    std::memcpy(values, at, std::min(length, sizeof values));
    if (type == UNIX_DIAG_PEER) socket.peer_inode = values[0];
    if (type == UNIX_DIAG_RQLEN) socket.receive_queue = values[0], socket.send_queue = values[1];
    if (type != UNIX_DIAG_NAME || !length) return;
    socket.local.assign(reinterpret_cast<const char*>(at), length);
    if (socket.local[0] == '\0') socket.local[0] = '@';  // of the abstract namespace
    if (socket.local.back() == '\0') socket.local.pop_back();
  });
  return true;
}

Result<DiagnosedSockets> diagnose_sockets(pid_t pid) {
  Inside inside = open_in_namespace_of(pid);
  if (!inside.diag.valid()) return system_error(fmt::format("ask for the sockets in the network namespace of PID {}", pid), inside.error);
  DiagnosedSockets found;
  found.port_range = inside.port_range;
  int diag = inside.diag.get();
  std::vector<Socket> inet, unix_sockets;
  if (dump_all_inet(diag, inet)) found.inet = std::move(inet);
  if (dump_unix(diag, unix_sockets) == 0) found.unix_sockets = std::move(unix_sockets);
  return found;
}

}  // namespace dwell
