// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/launch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "userspace/base/oom.h"
#include "userspace/base/unique_fd.h"
#include "userspace/collect/loader_run.h"
#include "userspace/collect/ptrace_call.h"

namespace dwell {

namespace {

constexpr int kShellNotFound = 127, kShellNotExecutable = 126;

struct Pipe {
  UniqueFd read_end, write_end;
};
Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_error("make a pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// What dwell does with signals for itself is not the program's.
void restore_signals() {
  for (int signal : {SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the child. Waits until it is traced; if its parent dies before, the pipe ends and so does the child.
[[noreturn]] void become(const std::vector<char*>& arguments, int go, int failed) {
  char byte;
  if (read(go, &byte, 1) != 1) _exit(1);
  restore_signals();
  withdraw_oom_offer();
  execvp(arguments[0], arguments.data());
  int error = errno;
  [[maybe_unused]] ssize_t told = write(failed, &error, sizeof error);
  _exit(error == ENOENT ? kShellNotFound : kShellNotExecutable);
}

int wait_for(pid_t pid, int* status) {
  int result;
  do {
    result = waitpid(pid, status, __WALL);
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

Result<LaunchedProgram> LaunchedProgram::start(const std::vector<std::string>& command, int* shell_exit) {
  Result<Pipe> go = make_pipe();
  if (!go) return go.error();
  Result<Pipe> failed = make_pipe();
  if (!failed) return failed.error();
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  pid_t pid = fork();
  if (pid < 0) return system_error("start " + command[0], errno);
  if (pid == 0) {
    // Only the parent may hold the other ends, or its death would go unseen.
    go->write_end.reset();
    failed->read_end.reset();
    become(arguments, go->read_end.get(), failed->write_end.get());
  }
  LaunchedProgram program(pid);
  failed->write_end.reset();
  // Without PTRACE_O_EXITKILL: if we die, the program runs on as if nobody had held it.
  constexpr int kOptions = PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;
  if (ptrace_call(PTRACE_SEIZE, pid, 0, kOptions) != 0)
    return system_error("trace " + command[0], errno, "another tracer or a policy forbids it: start it first, then use -p");
  if (write(go->write_end.get(), "!", 1) != 1) return system_error("start " + command[0], errno);

  int status = 0;
  for (;;) {
    if (wait_for(pid, &status) < 0) return system_error("wait for " + command[0], errno);
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (is_exec_stop(status)) return program;
    bool is_event = status >> 16 != 0;
    ptrace_call(PTRACE_CONT, pid, 0, is_event ? 0 : static_cast<std::uintptr_t>(WSTOPSIG(status)));
  }
  program.reaped_ = true;
  program.held_ = false;
  if (shell_exit) *shell_exit = WIFEXITED(status) ? WEXITSTATUS(status) : kShellNotExecutable;
  int error = 0;
  if (read(failed->read_end.get(), &error, sizeof error) != sizeof error)
    return Error{"start " + command[0] + ": it ended before it began", {}, Exit::kFailed};
  return system_error("start " + command[0], error,
                      error == ENOENT ? "no such program in PATH" : "it must be an executable file");
}

LaunchedProgram::LaunchedProgram(LaunchedProgram&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      held_(std::exchange(other.held_, false)),
      reaped_(std::exchange(other.reaped_, true)),
      status_(other.status_) {}

LaunchedProgram::~LaunchedProgram() {
  if (pid_ <= 0 || !held_ || reaped_) return;
  kill(pid_, SIGKILL);
  int status;
  do {
    if (wait_for(pid_, &status) < 0) return;
  } while (!WIFEXITED(status) && !WIFSIGNALED(status));
}

Result<void> LaunchedProgram::load(const std::function<Result<void>()>& on_module) {
  Result<LoaderEnd> end = run_loader(pid_, on_module);
  if (!end) return end.error();
  if (*end == LoaderEnd::kLoaded) return {};
  held_ = false;
  ended();
  return Error{WIFEXITED(status_)
                   ? fmt::format("the program ended with status {} before it began", WEXITSTATUS(status_))
                   : fmt::format("the program was killed by signal {} before it began", WTERMSIG(status_)),
               "its own message tells more", Exit::kNoTarget};
}

Result<void> LaunchedProgram::release() {
  held_ = false;
  if (ptrace_call(PTRACE_DETACH, pid_) != 0) return system_error(fmt::format("let PID {} go", pid_), errno);
  return {};
}

bool LaunchedProgram::ended(int* status) {
  if (!reaped_) {
    int result = waitpid(pid_, &status_, WNOHANG);
    reaped_ = result == pid_ && (WIFEXITED(status_) || WIFSIGNALED(status_));
  }
  if (reaped_ && status) *status = status_;
  return reaped_;
}

Result<bool> LaunchedProgram::catch_after_exec(const std::function<Result<void>()>& on_module) {
  if (ptrace_call(PTRACE_SEIZE, pid_, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD) != 0)
    return system_error(fmt::format("stop PID {} for a moment", pid_), errno);
  ptrace_call(PTRACE_INTERRUPT, pid_);
  int status = 0;
  if (!wait_for_stop(pid_, 0, &status)) return system_error(fmt::format("wait for PID {}", pid_), errno);
  if (WIFEXITED(status) || WIFSIGNALED(status)) return false;
  // A signal that came first is not lost: it goes on with the program.
  bool is_event = status >> 16 != 0;
  int signal = is_event ? 0 : WSTOPSIG(status);

  Result<bool> caught = false;
  if (signal == 0 && is_loading(pid_)) {
    Result<LoaderEnd> end = run_loader(pid_, on_module);
    if (!end)
      caught = end.error();
    else if (*end == LoaderEnd::kEnded)
      return true;
    else
      caught = true;
  } else if (Result<void> seen = on_module(); !seen) {
    caught = seen.error();
  }
  ptrace_call(PTRACE_DETACH, pid_, 0, static_cast<std::uintptr_t>(signal));
  return caught;
}

}  // namespace dwell
