// SPDX-License-Identifier: Apache-2.0
// Starts a program held before its first instruction, so that probes are in place before it runs.
//
// The program is traced only while its loader works: from execve() on, each time it maps an executable file it is
// stopped before any code of that file can run. Then it is let go, an ordinary child, before its own code makes a
// system call. If we die at any moment of this, it runs on; if we die before execve(), it never starts.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

// The started program. It shares our terminal, stdin, stdout and stderr. All calls must come from the thread
// that started it: that one is its tracer.
class LaunchedProgram {
 public:
  // Starts `command` (looked up in PATH as a shell does) and holds it at its execve(). An Error if it cannot
  // run, with the shell's exit code for that (127 not found, 126 not executable) in `shell_exit`.
  static Result<LaunchedProgram> start(const std::vector<std::string>& command, int* shell_exit = nullptr);

  LaunchedProgram(LaunchedProgram&& other) noexcept;
  LaunchedProgram& operator=(LaunchedProgram&&) = delete;
  ~LaunchedProgram();  // still held: it is killed, for it was never let go

  pid_t pid() const { return pid_; }

  // Runs the program's loader. `on_module` is called at the start, for what execve() itself mapped, and each
  // time another executable file has been mapped, always with the program stopped before any code of that
  // file runs. On return the program is still stopped, and the libraries that it is linked with are mapped.
  Result<void> load(const std::function<Result<void>()>& on_module);

  // Lets go for good: no longer traced, running.
  Result<void> release();

  // The same once more for a released program that called execve() a moment ago. False: it was past its loader
  // already, and on_module was called once. It runs freely afterwards.
  Result<bool> catch_after_exec(const std::function<Result<void>()>& on_module);

  // Whether it has ended, and the status as waitpid() gives it. Does not block.
  bool ended(int* status = nullptr);

 private:
  explicit LaunchedProgram(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  bool held_ = true;
  bool reaped_ = false;
  int status_ = 0;
};

}  // namespace dwell
