// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/other_ends.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/process/open_files.h"
#include "userspace/threads/other_waits.h"

namespace dwell {
namespace {

std::string link_of(pid_t pid, int fd) {
  char buffer[4096];
  ssize_t n = ::readlink(fmt::format("/proc/{}/fd/{}", living_thread(pid), fd).c_str(), buffer, sizeof buffer);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "";
}

// By what a pipe or a FIFO in the file system is known to the kernel; 0: it is none.
std::uint64_t fifo_inode(pid_t pid, int fd) {
  struct statx found {};
  std::string path = fmt::format("/proc/{}/fd/{}", living_thread(pid), fd);
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &found)) return 0;
  return S_ISFIFO(found.stx_mode) ? found.stx_ino : 0;
}

void add_waker(std::vector<pid_t>& wakers, pid_t pid) {
  if (std::ranges::find(wakers, pid) == wakers.end()) wakers.push_back(pid);
}

void doubt(WaitEnds& ends, const std::string& why) {
  if (ends.unproved.empty()) ends.unproved = why;
}

// Each open file once, with its descriptors among these.
std::vector<FileRefs> files_among(const std::vector<dwell_file_end>& ends) {
  std::vector<FileRefs> files;
  for (const dwell_file_end& end : ends) {
    auto known = std::ranges::find(files, end.file, &FileRefs::file);
    if (known == files.end()) known = files.insert(files.end(), {end.file, end.refs, 0});
    ++known->descriptors;
    known->refs = std::min<std::uint64_t>(known->refs, end.refs);
  }
  return files;
}

}  // namespace

std::string process_words(const std::vector<pid_t>& pids, pid_t own) {
  constexpr std::size_t kNamed = 3;
  std::vector<std::string> names;
  for (pid_t pid : pids)
    if (pid == own) names.emplace_back("this process itself");
  for (pid_t pid : pids) {
    if (pid == own) continue;
    Result<std::string> name = read_file(fmt::format("/proc/{}/comm", pid), 64);
    names.push_back(fmt::format("{} ({})", name ? name->substr(0, name->find('\n')) : "a process", pid));
  }
  std::string text;
  std::size_t told = names.size() <= kNamed + 1 ? names.size() : kNamed;
  for (std::size_t i = 0; i < told; ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  if (told < names.size()) text += fmt::format(" and {} more", names.size() - told);
  return text;
}

const SocketTable& OtherEnds::sockets_of(pid_t pid) {
  struct stat ns {};
  ::stat(fmt::format("/proc/{}/ns/net", living_thread(pid)).c_str(), &ns);
  auto known = sockets_.find(ns.st_ino);
  if (known == sockets_.end()) known = sockets_.emplace(ns.st_ino, SocketTable::read(pid)).first;
  return known->second;
}

OtherEnds::Watched OtherEnds::watch(pid_t pid, const CallFile& file) {
  Watched watched{.file = file, .link = link_of(pid, file.fd)};
  OpenFile kind = classify_file(watched.link, {});
  if (kind.kind == FileKind::kPipe || kind.kind == FileKind::kSocket) watched.inode = kind.inode;
  if (watched.link.starts_with("/")) {
    watched.inode = fifo_inode(pid, file.fd);
    watched.is_fifo = watched.inode != 0;
  }
  if (kind.kind != FileKind::kSocket) return watched;
  watched.is_socket = true;
  const SocketTable& sockets = sockets_of(pid);
  watched.socket = sockets.find(watched.inode);
  const Socket* peer = watched.socket ? sockets.peer_of(*watched.socket) : nullptr;
  watched.peer_inode = peer ? peer->inode : watched.socket ? watched.socket->peer_inode : 0;
  watched.by_tcp = watched.socket && watched.socket->protocol == "TCP";
  return watched;
}

void OtherEnds::look_at(const std::set<std::uint64_t>& inodes) {
  ends_.clear();
  if (inodes.empty()) return;
  if (!std::exchange(tried_, true)) {
    Result<FileEnds> files = FileEnds::open();
    if (files)
      files_.emplace(std::move(*files));
    else
      problem_ = "who has the other end of pipes and sockets is not known: " + files.error().what;
  }
  if (!files_) return;
  Result<std::vector<dwell_file_end>> found = files_->find(inodes);
  if (!found) return;
  for (const dwell_file_end& end : *found) ends_[end.inode].push_back(end);
}

// The kernel may not tell of the peers of UNIX sockets (sock_diag is a module), but the sockets themselves know them. True: there
// are more to look at.
bool OtherEnds::add_peers(std::vector<std::vector<Watched>>& watched, std::set<std::uint64_t>& inodes) const {
  bool more = false;
  for (std::vector<Watched>& of_call : watched) {
    for (Watched& one : of_call) {
      auto own = one.is_socket && !one.peer_inode ? ends_.find(one.inode) : ends_.end();
      if (own == ends_.end() || !own->second.front().peer_inode) continue;
      one.peer_inode = own->second.front().peer_inode;
      more = inodes.insert(one.peer_inode).second || more;
    }
  }
  return more;
}

// Those that are open for it, for any where `flag` is 0. Of a FIFO only those with the same path: other file systems may
// have files of that number.
std::vector<dwell_file_end> OtherEnds::holders_of(const Watched& watched, std::uint64_t inode, std::uint32_t flag) const {
  std::vector<dwell_file_end> holders;
  auto found = ends_.find(inode);
  if (found == ends_.end()) return holders;
  for (const dwell_file_end& end : found->second) {
    if (flag && !(end.flags & flag)) continue;
    if (watched.is_fifo && link_of(static_cast<pid_t>(end.pid), static_cast<int>(end.fd)) != watched.link) continue;
    if ((end.kind == DWELL_END_PIPE) == watched.is_socket) continue;
    holders.push_back(end);
  }
  return holders;
}

void OtherEnds::add_holders(const std::vector<dwell_file_end>& holders, WaitEnds& ends) const {
  for (const dwell_file_end& end : holders) {
    if (!end.pid) doubt(ends, "a process that can't be seen from here has the other end");
    if (end.pid) add_waker(ends.wakers, static_cast<pid_t>(end.pid));
  }
  for (const FileRefs& file : files_among(holders)) ends.needed.push_back(file);
}

void OtherEnds::add_pipe(const BlockedCall& call, const Watched& watched, WaitEnds& ends) const {
  bool reads = watched.file.reads;
  if (!reads && !watched.file.writes) reads = !holders_of(watched, watched.inode, DWELL_END_READS).empty();
  std::vector<dwell_file_end> all = holders_of(watched, watched.inode, 0);
  std::vector<dwell_file_end> others = holders_of(watched, watched.inode, reads ? DWELL_END_WRITES : DWELL_END_READS);
  if (all.empty()) {
    ends.open = true;
    return;
  }
  for (const dwell_file_end& end : all)
    if (static_cast<pid_t>(end.pid) == call.pid && static_cast<int>(end.fd) == watched.file.fd) ends.uses.push_back(end.file);
  const dwell_file_end& pipe = all.front();
  std::size_t seen = files_among(others).size(), there = reads ? pipe.writers : pipe.readers;
  if (seen < there) doubt(ends, "not everybody who has the other end can be seen");
  if (reads && pipe.used) doubt(ends, "the pipe is not empty");
  if (!reads && pipe.used < pipe.most) doubt(ends, "the pipe is not full");
  if (watched.is_fifo) doubt(ends, "others may open the FIFO");
  add_holders(others, ends);
  ends.other_side = ends.wakers;
}

void OtherEnds::add_socket(const BlockedCall& call, const Watched& watched, WaitEnds& ends) const {
  std::vector<dwell_file_end> own = holders_of(watched, watched.inode, 0);
  if (!watched.peer_inode || own.empty() || (watched.socket && watched.socket->listening)) {
    ends.open = true;
    return;
  }
  std::vector<dwell_file_end> others = holders_of(watched, watched.peer_inode, 0);
  const dwell_file_end& socket = own.front();
  bool timed = watched.file.reads ? socket.receive_timed : watched.file.writes ? socket.send_timed : socket.receive_timed || socket.send_timed;
  if (timed) doubt(ends, "the socket has a time limit");
  if (watched.by_tcp) doubt(ends, "a TCP connection may be reset");
  if (watched.socket && watched.socket->protocol == "UNIX datagram") doubt(ends, "others may send to the socket");
  if (others.empty()) doubt(ends, "nobody who has the other end can be seen");
  for (const dwell_file_end& end : own)
    if (static_cast<pid_t>(end.pid) == call.pid && static_cast<int>(end.fd) == watched.file.fd) ends.uses.push_back(end.file);
  add_holders(others, ends);
  ends.other_side = ends.wakers;
  add_holders(own, ends);  // who has this end may shut it down
}

WaitEnds OtherEnds::of_files(const BlockedCall& call, const CallFiles& files, std::span<const Watched> watched) const {
  WaitEnds ends;
  ends.open = files.others || watched.empty();
  for (const Watched& one : watched) {
    if (!one.inode)
      ends.open = true;
    else if (one.is_socket)
      add_socket(call, one, ends);
    else
      add_pipe(call, one, ends);
  }
  if (!files.held && !call.many_threads) ends.uses.clear();
  if (watched.size() == 1 && !ends.other_side.empty()) {
    const Watched& one = watched.front();
    const char* how = one.is_socket ? "whose other side is" : one.file.writes ? "read by" : "written by";
    ends.words = fmt::format("{} {}", how, process_words(ends.other_side, call.pid));
  }
  return ends;
}

std::vector<WaitEnds> OtherEnds::find(std::span<const BlockedCall> calls) {
  std::vector<CallFiles> files;
  std::vector<std::vector<Watched>> watched(calls.size());
  std::set<std::uint64_t> inodes;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    files.push_back(files_of_call(calls[i].call, calls[i].args, *calls[i].target));
    for (const CallFile& file : files[i].files) {
      const Watched& one = watched[i].emplace_back(watch(calls[i].pid, file));
      if (inodes.size() + 2 > DWELL_WANTED_FILES) continue;
      if (one.inode) inodes.insert(one.inode);
      if (one.peer_inode) inodes.insert(one.peer_inode);
    }
  }
  look_at(inodes);
  if (add_peers(watched, inodes)) look_at(inodes);
  std::vector<WaitEnds> found;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    std::optional<WaitEnds> other = ends_of_child_wait(calls[i]);
    if (!other) other = ends_of_file_lock(calls[i]);
    if (!other) other = ends_of_system_v(calls[i]);
    if (!other) other = ends_of_shared_object(calls[i]);
    found.push_back(other ? std::move(*other) : of_files(calls[i], files[i], watched[i]));
  }
  return found;
}

}  // namespace dwell
