// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/loader_run.h"

#include <elf.h>
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
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/base/clock.h"
#include "userspace/base/files.h"
#include "userspace/base/time_units.h"
#include "userspace/collect/ptrace_call.h"
#include "userspace/process/auxv.h"
#include "userspace/process/process.h"

namespace dwell {
namespace {

constexpr std::uint64_t kLongestPauseNs = 5'000 * kMillisecond;  // between two files that a loader maps
constexpr std::uint64_t kPatienceNs = 200 * kMillisecond;        // without a system call

bool is_own_child(pid_t pid) {
  constexpr int kParent = 4;
  Result<std::string> stat = read_file(fmt::format("/proc/{}/stat", pid));
  return stat && stat_field(*stat, kParent) == std::to_string(getpid());
}

// The stack pointer that the kernel gave to the program.
std::optional<std::uint64_t> first_stack_pointer(pid_t pid) {
  constexpr int kStartStack = 28;
  Result<std::string> stat = read_file(fmt::format("/proc/{}/stat", pid));
  std::string_view text = stat ? stat_field(*stat, kStartStack) : "";
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value ? std::optional(value) : std::nullopt;
}

// The dynamic loader of a stopped program. It begins with a call, whose return address is the first word below
// the stack that the kernel set up, and never returns from it. The program's start-up code begins on that same
// stack and puts its own words there. musl's loader is its C library too: there only this word tells them apart.
class Loader {
 public:
  // None: the program is static, and execve() has mapped all of it.
  static std::optional<Loader> of(pid_t pid) {
    std::optional<std::uint64_t> base = auxiliary_value(pid, AT_BASE), stack = first_stack_pointer(pid);
    Result<std::vector<Mapping>> mappings = read_maps(pid);
    if (!base || *base == 0 || !stack || !mappings) return std::nullopt;
    auto loader = std::find_if(mappings->begin(), mappings->end(), [&](const Mapping& mapping) {
      return *base >= mapping.start && *base < mapping.end;
    });
    if (loader == mappings->end() || !loader->is_file()) return std::nullopt;
    Loader found(pid, *stack - sizeof(std::uint64_t));
    for (const Mapping& mapping : *mappings)
      if (mapping.executable && mapping.inode == loader->inode && mapping.device() == loader->device())
        found.code_.push_back({mapping.start, mapping.end});
    return found;
  }

  bool is_running(std::uint64_t instruction) const {
    if (!has(instruction)) return false;
    errno = 0;
    long returns_to = ptrace_call(PTRACE_PEEKDATA, pid_, first_word_);
    // Not written yet in the very first instructions.
    return errno == 0 && (returns_to == 0 || has(static_cast<std::uint64_t>(returns_to)));
  }

 private:
  Loader(pid_t pid, std::uint64_t first_word) : pid_(pid), first_word_(first_word) {}

  bool has(std::uint64_t address) const {
    return std::any_of(code_.begin(), code_.end(),
                       [&](const auto& range) { return address >= range.first && address < range.second; });
  }

  pid_t pid_;
  std::uint64_t first_word_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> code_;
};

std::optional<std::uint64_t> instruction_pointer(pid_t pid) {
  user_regs_struct registers;
  if (ptrace_call(PTRACE_GETREGS, pid, 0, reinterpret_cast<std::uintptr_t>(&registers)) != 0) return std::nullopt;
  return registers.rip;
}

// What the stops of system calls tell.
class Calls {
 public:
  struct Stop {
    bool begins = false;             // the call has not been made yet
    bool mapped = false;             // it has made memory executable
    std::uint64_t instruction = 0;
  };
  Stop at(pid_t pid) {
    __ptrace_syscall_info info{};
    if (ptrace_call(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, reinterpret_cast<std::uintptr_t>(&info)) <= 0) return {};
    Stop stop;
    stop.instruction = info.instruction_pointer;
    stop.begins = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    if (stop.begins) {
      bool maps_file = info.entry.nr == SYS_mmap && static_cast<std::int32_t>(info.entry.args[4]) >= 0;
      bool changes = info.entry.nr == SYS_mprotect || info.entry.nr == SYS_pkey_mprotect;
      executable_ = (maps_file || changes) && (info.entry.args[2] & PROT_EXEC);
    } else {
      stop.mapped = info.op == PTRACE_SYSCALL_INFO_EXIT && std::exchange(executable_, false) && !info.exit.is_error;
    }
    return stop;
  }

 private:
  bool executable_ = false;
};

// The stops of one program image, one after the other.
class LoaderRun {
 public:
  LoaderRun(pid_t pid, const Loader& loader, const std::function<Result<void>()>& on_module)
      : pid_(pid), loader_(loader), on_module_(on_module) {}

  // Nothing: the program replaced itself before it began.
  Result<std::optional<LoaderEnd>> run() {
    std::uint64_t mapped_ns = monotonic_ns();
    for (;;) {
      if (ptrace_call(PTRACE_SYSCALL, pid_, 0, static_cast<std::uintptr_t>(std::exchange(signal_, 0))) != 0 && errno != ESRCH)
        return system_error(fmt::format("run the loader of PID {}", pid_), errno);
      bool stopped_itself = wait_patiently();
      if (!stopped_itself) {
        ptrace_call(PTRACE_INTERRUPT, pid_);
        if (!wait_for_stop(pid_, 0, &status_)) return system_error(fmt::format("wait for PID {}", pid_), errno);
      }
      if (WIFEXITED(status_) || WIFSIGNALED(status_)) return std::optional(LoaderEnd::kEnded);
      if (is_exec_stop(status_)) return std::optional<LoaderEnd>();
      Result<bool> loading = still_loading(mapped_ns);
      if (!loading) return loading.error();
      bool waited_enough = monotonic_ns() - mapped_ns > kLongestPauseNs;
      if (!*loading || (waited_enough && signal_ == 0)) return std::optional(LoaderEnd::kLoaded);
    }
  }

 private:
  Result<bool> still_loading(std::uint64_t& mapped_ns) {
    bool is_event = status_ >> 16 != 0;
    if (is_event) {
      std::optional<std::uint64_t> at = instruction_pointer(pid_);
      return !at || loader_.is_running(*at);
    }
    if (WSTOPSIG(status_) != (SIGTRAP | 0x80)) {
      signal_ = WSTOPSIG(status_);
      return true;
    }
    Calls::Stop stop = calls_.at(pid_);
    if (stop.begins) return loader_.is_running(stop.instruction);
    if (!stop.mapped) return true;
    if (Result<void> seen = on_module_(); !seen) return seen.error();
    mapped_ns = monotonic_ns();
    return true;
  }

  // False: it has not stopped in all that time.
  bool wait_patiently() {
    std::uint64_t pause_ns = 20'000;
    for (std::uint64_t waited = 0; waited < kPatienceNs; waited += pause_ns) {
      if (wait_for_stop(pid_, WNOHANG, &status_)) return true;
      if (waited > 5 * kMillisecond) pause_ns = kMillisecond / 2;
      timespec pause{0, static_cast<long>(pause_ns)};
      nanosleep(&pause, nullptr);
    }
    return false;
  }

  pid_t pid_;
  const Loader& loader_;
  const std::function<Result<void>()>& on_module_;
  Calls calls_;
  int status_ = 0, signal_ = 0;
};

}  // namespace

bool is_exec_stop(int status) { return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8); }

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
  do {
    result = waitpid(pid, status, __WALL);
  } while (result < 0 && errno == EINTR);
  return result == pid;
}

Result<LoaderEnd> run_loader(pid_t pid, const std::function<Result<void>()>& on_module) {
  for (;;) {
    // Here all that there was before an execve() is gone.
    if (Result<void> seen = on_module(); !seen) return seen.error();
    std::optional<Loader> loader = Loader::of(pid);
    if (!loader) return LoaderEnd::kLoaded;
    Result<std::optional<LoaderEnd>> end = LoaderRun(pid, *loader, on_module).run();
    if (!end) return end.error();
    if (*end) return **end;
  }
}

bool is_loading(pid_t pid) {
  std::optional<std::uint64_t> at = instruction_pointer(pid);
  if (!at) return false;
  std::optional<Loader> loader = Loader::of(pid);
  if (loader) return loader->is_running(*at);
  return at == auxiliary_value(pid, AT_ENTRY);  // static, and about to begin
}

}  // namespace dwell
