// SPDX-License-Identifier: Apache-2.0
// OtherEnds: who could end waits in system calls, also in other processes: who has the other end of a pipe or socket, holds
// a file lock, is the child that is waited for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "userspace/process/sockets.h"
#include "userspace/threads/call_files.h"
#include "userspace/threads/file_ends.h"
#include "userspace/threads/look.h"

namespace dwell {

struct BlockedCall {
  pid_t pid = 0;
  Tid tid = 0;
  std::uint64_t call = 0;
  std::uint64_t args[6] = {};
  const CallTarget* target = nullptr;  // of its process
  bool many_threads = false;           // its process has several: a call then holds the files that it works on
};

// An open file, as the kernel counts who refers to it: each descriptor, and each call in progress.
struct FileRefs {
  std::uint64_t file = 0, refs = 0, descriptors = 0;
};

struct WaitEnds {
  std::string words;            // "written by worker (12)"; "" if there is nothing to add
  std::vector<pid_t> wakers;    // processes that could end it, each once
  std::vector<pid_t> other_side;  // those of them that have the other end
  bool open = true;             // others could, and who is not known
  std::string unproved;         // why the wakers may not be all, or the wait may end by itself; "" if they are
  std::vector<FileRefs> needed; // open files whose holders have to be known, all of them
  std::vector<std::uint64_t> uses;  // open files that the call itself refers to
};

class OtherEnds {
 public:
  // Of several threads, with one pass over the open files of all processes.
  std::vector<WaitEnds> find(std::span<const BlockedCall> calls);
  const std::string& problem() const { return problem_; }  // why pipes and sockets could not be looked at, "" if they could

 private:
  struct Watched {
    CallFile file;
    std::string link;              // in /proc/PID/fd
    std::uint64_t inode = 0;       // 0: it is no pipe, FIFO or socket
    bool is_socket = false, is_fifo = false;
    std::uint64_t peer_inode = 0;
    bool by_tcp = false;
    const Socket* socket = nullptr;
  };

  const SocketTable& sockets_of(pid_t pid);
  Watched watch(pid_t pid, const CallFile& file);
  void look_at(const std::set<std::uint64_t>& inodes);
  bool add_peers(std::vector<std::vector<Watched>>& watched, std::set<std::uint64_t>& inodes) const;

  WaitEnds of_files(const BlockedCall& call, const CallFiles& files, std::span<const Watched> watched) const;
  void add_pipe(const BlockedCall& call, const Watched& watched, WaitEnds& ends) const;
  void add_socket(const BlockedCall& call, const Watched& watched, WaitEnds& ends) const;
  void add_holders(const std::vector<dwell_file_end>& holders, WaitEnds& ends) const;
  std::vector<dwell_file_end> holders_of(const Watched& watched, std::uint64_t inode, std::uint32_t flag) const;

  std::optional<FileEnds> files_;
  bool tried_ = false;
  std::string problem_;
  std::map<std::uint64_t, SocketTable> sockets_;  // by network namespace
  std::map<std::uint64_t, std::vector<dwell_file_end>> ends_;  // by inode
};

// Words for processes: "this process itself and worker (12)".
std::string process_words(const std::vector<pid_t>& pids, pid_t own);

}  // namespace dwell
