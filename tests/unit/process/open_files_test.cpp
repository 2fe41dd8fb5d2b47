// SPDX-License-Identifier: Apache-2.0
// Descriptors and sockets, as /proc and the kernel's socket diagnostics tell of them.
#include "userspace/process/open_files.h"

#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>

#include "userspace/process/descriptors.h"
#include "userspace/process/holders.h"
#include "userspace/process/sock_diag.h"

namespace dwell {
namespace {

FileKind kind(std::string_view link, const InodeFacts& inode = {}) { return classify_file(link, inode).kind; }

TEST(OpenFiles, KindsByTheirLinks) {
  EXPECT_EQ(kind("socket:[4711]"), FileKind::kSocket);
  EXPECT_EQ(classify_file("socket:[4711]", {}).inode, 4711u);
  EXPECT_EQ(kind("pipe:[12]"), FileKind::kPipe);
  EXPECT_EQ(kind("anon_inode:[eventpoll]"), FileKind::kEpoll);
  EXPECT_EQ(kind("anon_inode:inotify"), FileKind::kInotify);
  EXPECT_EQ(kind("anon_inode:[pidfd]"), FileKind::kPidfd);
  EXPECT_EQ(kind("pidfd:[99]"), FileKind::kPidfd);
  EXPECT_EQ(kind("anon_inode:bpf-map"), FileKind::kBpf);
  EXPECT_EQ(kind("net:[4026531840]"), FileKind::kNamespace);
  EXPECT_EQ(kind("anon_inode:[kvm-vm]"), FileKind::kOther);
  EXPECT_EQ(classify_file("anon_inode:[kvm-vm]", {}).name, "kvm-vm");
  EXPECT_EQ(kind(""), FileKind::kOther);
}

TEST(OpenFiles, KindsByTheirInodes) {
  EXPECT_EQ(kind("/dev/null", {S_IFCHR | 0666}), FileKind::kCharacterDevice);
  EXPECT_EQ(kind("/dev/pts/3", {S_IFCHR | 0620}), FileKind::kTerminal);
  EXPECT_EQ(kind("/run/queue", {S_IFIFO | 0600}), FileKind::kFifo);
  EXPECT_EQ(kind("/etc", {S_IFDIR | 0755}), FileKind::kDirectory);
  OpenFile memfd = classify_file("/memfd:buffers (deleted)", {S_IFREG | 0777, 8192, 0});
  EXPECT_EQ(memfd.kind, FileKind::kMemfd);
  EXPECT_EQ(memfd.name, "buffers");
  EXPECT_EQ(memfd.size, 8192u);
}

// A file may be called so, and its name says nothing while its inode has a link.
TEST(OpenFiles, AFileIsDeletedWhenItsInodeHasNoLinkLeft) {
  EXPECT_EQ(kind("/tmp/odd (deleted)", {S_IFREG | 0600, 5, 1}), FileKind::kFile);
  OpenFile deleted = classify_file("/tmp/a (deleted)", {S_IFREG | 0600, 5, 0});
  EXPECT_EQ(deleted.kind, FileKind::kDeleted);
  EXPECT_EQ(deleted.name, "/tmp/a");
}

TEST(OpenFiles, WhatFdinfoAdds) {
  OpenFile event = classify_file("anon_inode:[eventfd]", {});
  add_fdinfo("pos:\t0\nflags:\t02\neventfd-count:               1f\neventfd-id: 3\n", event);
  EXPECT_EQ(event.count, 31u);
  OpenFile epoll = classify_file("anon_inode:[eventpoll]", {});
  add_fdinfo("pos:\t0\ntfd:        5 events:       19 data: 5 pos:0 ino:1 sdev:1\ntfd:        8 events: 1 data: 8\n", epoll);
  EXPECT_EQ(epoll.watched, (std::vector<int>{5, 8}));
  OpenFile inotify = classify_file("anon_inode:inotify", {});
  add_fdinfo("pos:\t0\ninotify wd:2 ino:9 sdev:1 mask:100\ninotify wd:1 ino:8 sdev:1 mask:100\n", inotify);
  EXPECT_EQ(inotify.count, 2u);
  OpenFile process = classify_file("anon_inode:[pidfd]", {});
  add_fdinfo("pos:\t0\nPid:\t4711\nNSpid:\t4711\n", process);
  EXPECT_EQ(process.process, 4711);
  OpenFile ended = classify_file("pidfd:[9]", {});
  add_fdinfo("Pid:\t-1\nNSpid:\t-1\n", ended);
  EXPECT_EQ(ended.process, 0);
}

TEST(OpenFiles, LocksAreThoseOfFdinfo) {
  OpenFile file = classify_file("/srv/data", {});
  add_fdinfo(
      "pos:\t0\nlock:\t1: POSIX  ADVISORY  WRITE 25483 fe:00:10953273 5 14\nlock:\t2: OFDLCK ADVISORY  READ "
      "-1 fe:00:10953273 100 EOF\n"
      "lock:\t3: FLOCK  ADVISORY  WRITE 25483 fe:00:10953273 0 EOF\nlock:\t4: LEASE  BREAKING  UNLCK 9 "
      "fe:00:1 0 EOF\n",
      file);
  ASSERT_EQ(file.locks.size(), 3u);
  EXPECT_EQ(file.locks[0], (FileLock{FileLockKind::kFcntl, true, 5, 14}));
  EXPECT_EQ(file.locks[1], (FileLock{FileLockKind::kOpenFile, false, 100, std::nullopt}));
  EXPECT_EQ(file.locks[2], (FileLock{FileLockKind::kFlock, true, 0, std::nullopt}));
  EXPECT_EQ(locked_inodes("1: POSIX  ADVISORY  WRITE 25483 fe:00:10953273 5 14\n1: -> POSIX  ADVISORY  WRITE "
                          "7 08:01:77 0 EOF\n"),
            (std::set<std::uint64_t>{77, 10953273}));
}

TEST(OpenFiles, TheLimitIsTheSoftOne) {
  EXPECT_EQ(open_files_limit("Limit                     Soft Limit           Hard Limit           Units\n"
                             "Max open files            1024                 524288               files\n"), 1024u);
  EXPECT_EQ(open_files_limit("Max open files            unlimited            unlimited            files\n"), 0u);
}

TEST(OpenFiles, HoldersAreNamedOncePerProcess) {
  std::vector<Holder> holders = {{1, "a", 3, true, true}, {1, "a", 4, true, true}, {2, "b", 3, true, true}};
  EXPECT_EQ(holder_names(holders), "a (1) and b (2)");
  EXPECT_EQ(holder_names(holders, 1), "b (2)");
  for (pid_t pid = 3; pid < 7; ++pid) holders.push_back({pid, "w", 3, true, true});
  EXPECT_EQ(holder_names(holders), "a (1), b (2), w (3) and 3 more");
  EXPECT_EQ(holder_names({}), "");
}

Socket one_of(const std::string& line, std::string_view protocol) {
  std::vector<Socket> sockets = parse_inet_table(line, protocol);
  return sockets.size() == 1 ? sockets[0] : Socket();
}

TEST(Sockets, LinesOfTheKernelsTables) {
  Socket listening = one_of("   0: 0100007F:18EB 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 4711 1 0 100", "TCP");
  EXPECT_EQ(listening.inode, 4711u);
  EXPECT_EQ(socket_words(listening), "listening at 127.0.0.1:6379");
  EXPECT_EQ(listening.receive_queue, 2u);
  Socket connected = one_of("   1: 0100007F:9C40 0100007F:18EB 08 0000000A:00000001 00:00000000 00000000     0        0 4712 1 0 20", "TCP");
  EXPECT_EQ(socket_words(connected), "to 127.0.0.1:6379");
  EXPECT_EQ(connected.state, "CLOSE_WAIT");
  EXPECT_EQ(connected.send_queue, 10u);
  Socket six = one_of("   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4713 1 0 0", "TCP");
  EXPECT_EQ(six.local, "[::1]:80");
  Socket mapped = one_of("   2: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:1234 01 0:0 00:0 0 0 0 4714 1 0 0", "TCP");
  EXPECT_EQ(socket_words(mapped), "to 127.0.0.1:4660");
  Socket datagrams = one_of("   3: 0100007F:0035 00000000:0000 07 0:0 00:0 0 0 0 4715 1 0 0", "UDP");
  EXPECT_EQ(socket_words(datagrams), "(UDP at 127.0.0.1:53)");
  EXPECT_EQ(datagrams.state, "");
}

TEST(Sockets, WhatIsNoSuchLineIsNone) {
  EXPECT_TRUE(parse_inet_table("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n\n", "TCP").empty());
  EXPECT_TRUE(parse_inet_table("0: zz:zz : 0A x x x x x x", "TCP").empty());
}

TEST(Sockets, OfUnixByTheirTable) {
  std::vector<Socket> sockets = parse_unix_table("Num       RefCount Protocol Flags    Type St Inode Path\n"
                                                 "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/a b.sock\n"
                                                 "0000000000000000: 00000003 00000000 00000000 0001 03 4712\n");
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_TRUE(sockets[0].listening);
  EXPECT_EQ(sockets[0].local, "/run/a b.sock");
  EXPECT_EQ(sockets[1].state, "ESTABLISHED");
}

template <typename T>
void append(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(Sockets, ByTheKernelsDiagnostics) {
  inet_diag_msg message{};
  message.idiag_family = AF_INET;
  message.idiag_state = 1;
  message.idiag_inode = 4711;
  message.idiag_rqueue = 5;
  message.id.idiag_sport = htons(6379);
  message.id.idiag_dport = htons(40000);
  message.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
  message.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
  std::string whole;
  append(whole, message);
  Socket socket;
  ASSERT_TRUE(parse_inet_diag(bytes(whole), "TCP", socket));
  EXPECT_EQ(socket.local, "127.0.0.1:6379");
  EXPECT_EQ(socket.peer, "127.0.0.1:40000");
  EXPECT_EQ(socket.state, "ESTABLISHED");
  EXPECT_EQ(socket.receive_queue, 5u);
  EXPECT_FALSE(parse_inet_diag(bytes(whole).first(20), "TCP", socket));
}

TEST(Sockets, OfUnixHaveTheirPeerByDiagnostics) {
  unix_diag_msg message{};
  message.udiag_family = AF_UNIX;
  message.udiag_type = SOCK_STREAM;
  message.udiag_state = 1;
  message.udiag_ino = 4711;
  std::string whole;
  append(whole, message);
  auto attribute = [&](std::uint16_t type, const std::string& value) {
    append(whole, static_cast<std::uint16_t>(4 + value.size()));
    append(whole, type);
    whole += value;
    whole.resize((whole.size() + 3) & ~std::size_t{3});
  };
  attribute(UNIX_DIAG_NAME, std::string("\0abc", 4));
  attribute(UNIX_DIAG_PEER, std::string("\x68\x12\0\0", 4));
  Socket socket;
  ASSERT_TRUE(parse_unix_diag(bytes(whole), socket));
  EXPECT_EQ(socket.local, "@abc");
  EXPECT_EQ(socket.peer_inode, 0x1268u);
  // An attribute that claims to be longer than what is there.
  whole.resize(whole.size() - 2);
  EXPECT_TRUE(parse_unix_diag(bytes(whole), socket));
}

}  // namespace
}  // namespace dwell
