// SPDX-License-Identifier: Apache-2.0
// Starts a program held before its first instruction, so that probes are in place before it runs.
//
// The program is traced only until it reaches its entry point: from execve() on, each time it maps an
// executable file it is stopped before any code of that file can run. Then it is let go, an ordinary child.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

// The started program. It shares our terminal, stdin, stdout and stderr.
class LaunchedProgram {
 public:
  // Starts `command` (looked up in PATH as a shell does) and holds it at its execve(). An Error, with the
  // message and exit code of a shell (127 not found, 126 not executable) in `shell_exit`, if it cannot run.
  static Result<LaunchedProgram> start(const std::vector<std::string>& command, int* shell_exit = nullptr);

  LaunchedProgram(LaunchedProgram&& other) noexcept;
  LaunchedProgram& operator=(LaunchedProgram&&) = delete;
  ~LaunchedProgram();  // still held: it is killed, for it has not run a single instruction of its own

  pid_t pid() const { return pid_; }

  // Runs the program's loader. `on_module` is called at the start, for what execve() itself mapped, and
  // each time another executable mapping has appeared, always with the program stopped. Returns when the
  // program stands at its entry point, still stopped. The libraries it was linked with are mapped then;
  // their constructors have run (under glibc and musl, dynamic ones run before the entry point).
  Result<void> run_to_entry(const std::function<Result<void>()>& on_module);

  // Lets go for good: no longer traced, running.
  Result<void> release();

  // The exit status as waitpid() gives it, if it has ended. Does not block.
  bool ended(int* status = nullptr);

 private:
  explicit LaunchedProgram(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  bool held_ = true;
  bool reaped_ = false;
  int status_ = 0;
};

}  // namespace dwell
