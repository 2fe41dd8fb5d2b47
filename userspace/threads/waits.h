// SPDX-License-Identifier: Apache-2.0
// Waits: what a thread that is in a system call waits for, in words.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "userspace/threads/look.h"
#include "userspace/unwind/remote_unwinder.h"

namespace dwell {

// How a process is asked about what its system calls name.
struct CallTarget {
  std::function<std::string(int fd)> descriptor;          // "socket 5 to 127.0.0.1:6379"
  std::function<std::optional<std::vector<int>>(int epoll)> watched_by;  // none: not known
  MemoryReader memory;
  std::function<std::string(int pid)> child;  // "child 4711", by the id that the call names
  // What is to be known of a file besides its path, "" if nothing is: "on nfs4 from server:/export". A path that does not
  // begin with a slash is relative to the folder, which is a descriptor or AT_FDCWD.
  std::function<std::string(int folder, const std::string& path)> file_system;
};

struct Wait {
  WaitKind kind = WaitKind::kOther;
  bool timed = false;       // it ends by itself
  std::string words = {};   // "read of socket 5 to 127.0.0.1:6379"
  std::string until = {};   // "at most 2.5 s"; may be empty
  std::uint64_t futex = 0;  // address of the word, 0: it is no futex
  bool relative = false;    // of a futex: the oldest call, as locks use, not a wait until a time

  std::string text() const { return until.empty() ? words : words + ", " + until; }
};

Wait describe_wait(std::uint64_t call, const std::uint64_t (&args)[6], const CallTarget& target);

// "read"; "system call 1000" of a number that no kernel known here has
std::string name_of_call(std::uint64_t call);

}  // namespace dwell
