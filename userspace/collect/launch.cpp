// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/launch.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "userspace/base/cursor.h"
#include "userspace/base/files.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

namespace {

constexpr int kShellNotFound = 127, kShellNotExecutable = 126;

long trace(int request, pid_t pid, std::uintptr_t address = 0, std::uintptr_t data = 0) {
  return ptrace(static_cast<__ptrace_request>(request), pid, reinterpret_cast<void*>(address),
                reinterpret_cast<void*>(data));
}

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

bool is_exec_stop(int status) { return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8); }

Result<std::uint64_t> entry_point(pid_t pid) {
  Result<std::string> vector = read_file(fmt::format("/proc/{}/auxv", pid));
  if (!vector) return vector.error();
  Cursor cursor(*vector);
  while (cursor.remaining() >= 16) {
    std::uint64_t type = cursor.u64(), value = cursor.u64();
    if (type == AT_ENTRY) return value;
  }
  return Error{fmt::format("find the entry point of PID {}: no AT_ENTRY", pid), {}, Exit::kUnsupported};
}

std::optional<std::uint64_t> instruction_pointer(pid_t pid) {
  user_regs_struct registers;
  if (trace(PTRACE_GETREGS, pid, 0, reinterpret_cast<std::uintptr_t>(&registers)) != 0) return std::nullopt;
  return registers.rip;
}

// Stops the program at one address: by a debug register, which leaves its memory as it is.
class EntryStop {
 public:
  EntryStop(pid_t pid, std::uint64_t address) : pid_(pid), address_(address) {}

  Result<void> set() {
    if (poke_debug(0, address_) && poke_debug(7, 1)) return {};
    clear();
    // A machine without debug registers: an instruction, put back when it is hit.
    errno = 0;
    long word = trace(PTRACE_PEEKTEXT, pid_, address_);
    if (errno != 0) return system_error("read the program's entry point", errno);
    replaced_ = true;
    original_ = static_cast<std::uint64_t>(word);
    std::uint64_t trap = (original_ & ~std::uint64_t{0xff}) | 0xcc;
    if (trace(PTRACE_POKETEXT, pid_, address_, trap) != 0)
      return system_error("stop the program at its entry point", errno);
    return {};
  }

  bool reached() const {
    std::optional<std::uint64_t> at = instruction_pointer(pid_);
    return at && *at == address_ + (replaced_ ? 1 : 0);
  }

  // The program goes on as if it had never been stopped.
  void clear() {
    poke_debug(7, 0);
    poke_debug(0, 0);
    if (!std::exchange(replaced_, false)) return;
    trace(PTRACE_POKETEXT, pid_, address_, original_);
    user_regs_struct registers;
    std::uintptr_t at = reinterpret_cast<std::uintptr_t>(&registers);
    if (trace(PTRACE_GETREGS, pid_, 0, at) == 0 && registers.rip == address_ + 1) {
      registers.rip = address_;
      trace(PTRACE_SETREGS, pid_, 0, at);
    }
  }

 private:
  bool poke_debug(unsigned index, std::uint64_t value) {
    return trace(PTRACE_POKEUSER, pid_, offsetof(user, u_debugreg) + index * sizeof(std::uint64_t), value) == 0;
  }

  pid_t pid_;
  std::uint64_t address_;
  bool replaced_ = false;
  std::uint64_t original_ = 0;
};

// Tells from the stops of system calls that an executable file has been mapped.
class MappingCalls {
 public:
  // True at the end of a call that made memory executable.
  bool stopped(pid_t pid) {
    __ptrace_syscall_info info{};
    if (trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, reinterpret_cast<std::uintptr_t>(&info)) <= 0) return false;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      bool maps_file = info.entry.nr == SYS_mmap && static_cast<std::int32_t>(info.entry.args[4]) >= 0;
      bool changes = info.entry.nr == SYS_mprotect || info.entry.nr == SYS_pkey_mprotect;
      executable_ = (maps_file || changes) && (info.entry.args[2] & PROT_EXEC);
      return false;
    }
    return info.op == PTRACE_SYSCALL_INFO_EXIT && std::exchange(executable_, false) && !info.exit.is_error;
  }

 private:
  bool executable_ = false;
};

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
  constexpr int kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;
  if (trace(PTRACE_SEIZE, pid, 0, kOptions) != 0)
    return system_error("trace " + command[0], errno, "another tracer or a policy forbids it: start it first, then use -p");
  if (write(go->write_end.get(), "!", 1) != 1) return system_error("start " + command[0], errno);

  int status = 0;
  for (;;) {
    if (wait_for(pid, &status) < 0) return system_error("wait for " + command[0], errno);
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (is_exec_stop(status)) return program;
    bool is_event = status >> 16 != 0;
    trace(PTRACE_CONT, pid, 0, is_event ? 0 : static_cast<std::uintptr_t>(WSTOPSIG(status)));
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

// Lets the program run to its next stop, with a signal if there is one. An Error if it ended instead.
Result<int> LaunchedProgram::next_stop(int signal) {
  if (trace(PTRACE_SYSCALL, pid_, 0, static_cast<std::uintptr_t>(signal)) != 0 && errno != ESRCH)
    return system_error(fmt::format("run PID {} to its entry point", pid_), errno);
  int status = 0;
  if (wait_for(pid_, &status) < 0) return system_error(fmt::format("wait for PID {}", pid_), errno);
  if (!WIFEXITED(status) && !WIFSIGNALED(status)) return status;
  reaped_ = true;
  held_ = false;
  status_ = status;
  return Error{WIFEXITED(status) ? fmt::format("the program ended with status {} before its entry point", WEXITSTATUS(status))
                                 : fmt::format("the program was killed by signal {} before its entry point", WTERMSIG(status)),
               "its own message tells more", Exit::kNoTarget};
}

Result<void> LaunchedProgram::run_to_entry(const std::function<Result<void>()>& on_module) {
  for (;;) {
    // At an execve() stop: all that there was before is gone.
    Result<void> seen = on_module();
    if (!seen) return seen;
    Result<std::uint64_t> entry = entry_point(pid_);
    if (!entry) return entry.error();
    EntryStop at_entry(pid_, *entry);
    Result<void> set = at_entry.set();
    if (!set) return set;
    MappingCalls calls;
    int signal = 0;
    for (;;) {
      Result<int> stop = next_stop(std::exchange(signal, 0));
      if (!stop) return stop.error();
      if (is_exec_stop(*stop)) break;  // replaced itself before it began: start over
      int stopped_by = WSTOPSIG(*stop);
      if (stopped_by == (SIGTRAP | 0x80)) {
        if (!calls.stopped(pid_)) continue;
        seen = on_module();
        if (!seen) return seen;
      } else if (stopped_by == SIGTRAP && *stop >> 16 == 0 && at_entry.reached()) {
        at_entry.clear();
        return {};
      } else if (*stop >> 16 == 0) {
        signal = stopped_by;
      }
    }
  }
}

Result<void> LaunchedProgram::release() {
  held_ = false;
  if (trace(PTRACE_DETACH, pid_) != 0) return system_error(fmt::format("let PID {} go", pid_), errno);
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

}  // namespace dwell
