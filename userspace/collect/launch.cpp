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
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "symbolizer/proc_maps.h"
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

bool is_own_child(pid_t pid) {
  Result<std::string> stat = read_file(fmt::format("/proc/{}/stat", pid));
  std::size_t at = stat ? stat->rfind(") ") : std::string::npos;
  int parent = 0;
  return at != std::string::npos && std::sscanf(stat->c_str() + at, ") %*c %d", &parent) == 1 && parent == getpid();
}

// The next stop, or the end, of a traced process. The end of a child of ours is only looked at, so that
// LaunchedProgram::ended() still finds it; another's must be taken, or its parent never hears of it.
bool wait_for_stop(pid_t pid, int flags, int* status) {
  siginfo_t news{};
  int result;
  do {
    result = waitid(P_PID, static_cast<id_t>(pid), &news, WEXITED | WSTOPPED | WNOWAIT | __WALL | flags);
  } while (result < 0 && errno == EINTR);
  if (result < 0 || news.si_pid == 0) return false;
  bool exited = news.si_code == CLD_EXITED;
  bool killed = news.si_code == CLD_KILLED || news.si_code == CLD_DUMPED;
  if ((exited || killed) && is_own_child(pid)) {
    *status = exited ? W_EXITCODE(news.si_status, 0) : W_EXITCODE(0, news.si_status);
    return true;
  }
  return wait_for(pid, status) == pid;
}

bool is_exec_stop(int status) { return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8); }

std::optional<std::uint64_t> auxiliary_value(pid_t pid, std::uint64_t wanted) {
  Result<std::string> vector = read_file(fmt::format("/proc/{}/auxv", pid));
  if (!vector) return std::nullopt;
  Cursor cursor(*vector);
  while (cursor.remaining() >= 16) {
    std::uint64_t type = cursor.u64(), value = cursor.u64();
    if (type == wanted) return value;
  }
  return std::nullopt;
}

Result<std::uint64_t> entry_point(pid_t pid) {
  if (std::optional<std::uint64_t> entry = auxiliary_value(pid, AT_ENTRY)) return *entry;
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

namespace {

// Takes a stopped program to its entry point, one stop after the other.
class LoaderRun {
 public:
  enum class End { kAtEntry, kTooLate, kEnded };

  // `patience_ns`: for how long it may run without a stop; 0 is forever.
  LoaderRun(pid_t pid, std::uint64_t patience_ns) : pid_(pid), patience_ns_(patience_ns) {}

  Result<End> run(const std::function<Result<void>()>& on_module) {
    for (;;) {
      // Here all that there was before an execve() is gone.
      if (Result<void> seen = on_module(); !seen) return seen.error();
      Result<std::uint64_t> entry = entry_point(pid_);
      if (!entry) return entry.error();
      EntryStop at_entry(pid_, *entry);
      if (Result<void> set = at_entry.set(); !set) return set.error();
      Result<std::optional<End>> end = run_until(at_entry, on_module);
      if (!end) return end.error();
      if (*end && **end != End::kEnded) at_entry.clear();
      if (*end) return **end;
    }
  }

 private:
  // Nothing: the program replaced itself before it began.
  Result<std::optional<End>> run_until(const EntryStop& at_entry, const std::function<Result<void>()>& on_module) {
    MappingCalls calls;
    int signal = 0;
    for (;;) {
      if (trace(PTRACE_SYSCALL, pid_, 0, static_cast<std::uintptr_t>(std::exchange(signal, 0))) != 0 && errno != ESRCH)
        return system_error(fmt::format("run PID {} to its entry point", pid_), errno);
      if (!wait_patiently()) {
        trace(PTRACE_INTERRUPT, pid_);
        if (!wait_for_stop(pid_, 0, &status_)) return system_error(fmt::format("wait for PID {}", pid_), errno);
        return std::optional(is_over() ? End::kEnded : End::kTooLate);
      }
      if (is_over()) return std::optional(End::kEnded);
      if (is_exec_stop(status_)) return std::optional<End>();
      bool is_event = status_ >> 16 != 0;
      int stopped_by = WSTOPSIG(status_);
      if (stopped_by == (SIGTRAP | 0x80)) {
        if (!calls.stopped(pid_)) continue;
        if (Result<void> seen = on_module(); !seen) return seen.error();
      } else if (stopped_by == SIGTRAP && !is_event && at_entry.reached()) {
        return std::optional(End::kAtEntry);
      } else if (!is_event) {
        signal = stopped_by;
      }
    }
  }

  bool is_over() const { return WIFEXITED(status_) || WIFSIGNALED(status_); }

  // False: it has not stopped in all that time.
  bool wait_patiently() {
    if (patience_ns_ == 0) return wait_for_stop(pid_, 0, &status_);
    constexpr std::uint64_t kPauseNs = 20'000;
    for (std::uint64_t waited = 0; waited < patience_ns_; waited += kPauseNs) {
      if (wait_for_stop(pid_, WNOHANG, &status_)) return true;
      timespec pause{0, kPauseNs};
      nanosleep(&pause, nullptr);
    }
    return false;
  }

  pid_t pid_;
  std::uint64_t patience_ns_;
  int status_ = 0;
};

}  // namespace

Result<void> LaunchedProgram::run_to_entry(const std::function<Result<void>()>& on_module) {
  LoaderRun loader(pid_, 0);
  Result<LoaderRun::End> end = loader.run(on_module);
  if (!end) return end.error();
  if (*end == LoaderRun::End::kAtEntry) return {};
  held_ = false;
  ended();
  return Error{WIFEXITED(status_)
                   ? fmt::format("the program ended with status {} before its entry point", WEXITSTATUS(status_))
                   : fmt::format("the program was killed by signal {} before its entry point", WTERMSIG(status_)),
               "its own message tells more", Exit::kNoTarget};
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

namespace {

// Whether the thread executes code of the program's loader. Its threads would have to be later than that.
bool is_in_loader(pid_t pid) {
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  std::optional<std::uint64_t> at = instruction_pointer(pid), base = auxiliary_value(pid, AT_BASE);
  if (!mappings || !at || !base) return false;
  if (*base == 0) return at == auxiliary_value(pid, AT_ENTRY);  // static: no loader
  auto mapping_at = [&](std::uint64_t address) {
    return std::find_if(mappings->begin(), mappings->end(), [&](const Mapping& mapping) {
      return address >= mapping.start && address < mapping.end;
    });
  };
  auto loader = mapping_at(*base), here = mapping_at(*at);
  if (loader == mappings->end() || here == mappings->end()) return false;
  return here->is_file() && loader->inode == here->inode && loader->device() == here->device();
}

}  // namespace

Result<bool> catch_in_loader(pid_t pid, const std::function<Result<void>()>& on_module) {
  if (trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD) != 0)
    return system_error(fmt::format("stop PID {} for a moment", pid), errno);
  trace(PTRACE_INTERRUPT, pid);
  int status = 0;
  if (!wait_for_stop(pid, 0, &status)) return system_error(fmt::format("wait for PID {}", pid), errno);
  if (WIFEXITED(status) || WIFSIGNALED(status)) return false;
  // A signal that came first is not lost: it goes on with the program.
  bool is_event = status >> 16 != 0;
  int signal = is_event ? 0 : WSTOPSIG(status);

  Result<bool> caught = false;
  if (signal == 0 && is_in_loader(pid)) {
    constexpr std::uint64_t kPatienceNs = 200'000'000;
    Result<LoaderRun::End> end = LoaderRun(pid, kPatienceNs).run(on_module);
    if (!end)
      caught = end.error();
    else if (*end == LoaderRun::End::kEnded)
      return true;
    else
      caught = *end == LoaderRun::End::kAtEntry;
  } else if (Result<void> seen = on_module(); !seen) {
    caught = seen.error();
  }
  trace(PTRACE_DETACH, pid, 0, static_cast<std::uintptr_t>(signal));
  return caught;
}

}  // namespace dwell
