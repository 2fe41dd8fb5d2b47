// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/process.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "userspace/base/clock.h"
#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"
#include "userspace/base/unique_fd.h"
#include "userspace/process/own_proc.h"
#include "userspace/process/surroundings.h"

namespace dwell {
namespace {

std::vector<pid_t> numbers(const std::string& text) {
  std::vector<pid_t> result;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    pid_t number = 0;
    auto [next, error] = std::from_chars(at, end, number);
    if (error == std::errc{}) result.push_back(number);
    at = error == std::errc{} ? next : at + 1;
  }
  return result;
}

std::string read_command_line(pid_t pid) {
  Result<std::string> text = read_file(fmt::format("/proc/{}/cmdline", living_thread(pid)), 1 << 20);
  if (!text) return "";
  while (!text->empty() && text->back() == '\0') text->pop_back();
  std::replace(text->begin(), text->end(), '\0', ' ');
  return *text;
}

bool has_no_program(pid_t pid) {
  char target[8];
  return ::readlink(fmt::format("/proc/{}/exe", pid).c_str(), target, sizeof target) < 0 && errno == ENOENT;
}

// kthreadd and its children; in no PID namespace but the initial one.
bool is_kernel_thread(pid_t pid, const std::string& status) {
  return in_initial_pid_namespace() && has_no_program(pid) && (pid == 2 || status_field(status, "PPid") == "2");
}

Error ended(pid_t pid) {
  return {fmt::format("trace PID {}: it has ended and waits for its parent to notice", pid), "", Exit::kNoTarget};
}

}  // namespace

namespace {

// Its system calls have other numbers, its registers other names. A program that can't be read counts as one.
bool runs_64_bit(pid_t thread) {
  UniqueFd program(::open(fmt::format("/proc/{}/exe", thread).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  unsigned char start[EI_NIDENT] = {};
  if (!program.valid() || ::pread(program.get(), start, sizeof start, 0) != sizeof start) return true;
  return std::memcmp(start, ELFMAG, SELFMAG) != 0 || start[EI_CLASS] == ELFCLASS64;
}

}  // namespace

std::string_view stat_field(std::string_view stat, int number) {
  constexpr int kFirstBehindName = 3;
  std::size_t name_ends = stat.rfind(") ");
  if (name_ends == std::string_view::npos || number < kFirstBehindName) return "";
  std::vector<std::string_view> fields = words_in(stat.substr(name_ends + 2));
  auto index = static_cast<std::size_t>(number - kFirstBehindName);
  return index < fields.size() ? fields[index] : "";
}

std::optional<std::uint64_t> process_age_ns(pid_t pid) {
  constexpr int kStartTime = 22;  // clock ticks since boot
  Result<std::string> stat = read_file(fmt::format("/proc/{}/stat", pid));
  std::string_view text = stat ? stat_field(*stat, kStartTime) : "";
  std::uint64_t ticks = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), ticks).ec != std::errc()) return std::nullopt;
  std::uint64_t started_ns = ticks * (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  std::uint64_t now_ns = clock_ns(CLOCK_BOOTTIME);
  return now_ns - std::min(now_ns, started_ns);
}

std::string status_field(std::string_view status, std::string_view name) {
  for (std::string_view line : split(status, '\n')) {
    if (line.substr(0, name.size()) != name || line.substr(name.size(), 1) != ":") continue;
    std::string_view value = line.substr(name.size() + 1);
    std::size_t start = value.find_first_not_of(" \t");
    return start == std::string_view::npos ? "" : std::string(value.substr(start));
  }
  return "";
}

std::string container_in_cgroup(const std::string& cgroup) {
  std::string found;
  std::size_t run = 0;
  for (std::size_t i = 0; i <= cgroup.size(); ++i) {
    bool digit = i < cgroup.size() && std::string_view("0123456789abcdef").find(cgroup[i]) != std::string_view::npos;
    if (digit) {
      ++run;
      continue;
    }
    if (run == 64) found = cgroup.substr(i - run, run);
    run = 0;
  }
  return found;
}

Result<ProcessFacts> read_process(pid_t pid) {
  if (Result<void> own = expect_own_proc(); !own) return own.error();
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid), 1 << 20);
  if (!status) {
    return Error{fmt::format("trace PID {}: no such process", pid), "list the candidates: ps -eo pid,rss,args --sort=-rss | head",
                 Exit::kNoTarget};
  }
  std::vector<pid_t> tgid = numbers(status_field(*status, "Tgid"));
  if (!tgid.empty() && tgid[0] != pid) {
    return Error{fmt::format("trace PID {}: that is a thread of process {}", pid, tgid[0]),
                 fmt::format("trace the whole process: -p {}", tgid[0]), Exit::kUsage};
  }
  if (is_kernel_thread(pid, *status)) {
    return Error{fmt::format("trace PID {}: that is a kernel thread, it has no memory of its own", pid), "",
                 Exit::kUnsupported};
  }
  pid_t thread = living_thread(pid);
  if (has_no_program(thread)) return ended(pid);
  if (!runs_64_bit(thread))
    return Error{fmt::format("trace PID {}: its program is not a 64-bit one", pid),
                 "only 64-bit x86 programs can be traced", Exit::kUnsupported};
  ProcessFacts facts;
  facts.pid = pid;
  facts.main_thread_ended = thread != pid;
  facts.name = status_field(*status, "Name");
  facts.command_line = read_command_line(pid);
  if (facts.command_line.empty()) facts.command_line = facts.name;
  facts.namespace_pids = numbers(status_field(*status, "NSpid"));
  if (Result<std::string> cgroup = read_file(fmt::format("/proc/{}/cgroup", living_thread(pid)), 1 << 20))
    facts.container = container_in_cgroup(*cgroup);
  return facts;
}

bool process_has_ended(pid_t pid) {
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return errno == ESRCH;
  pollfd ended{process.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

std::optional<std::uint64_t> process_cpu_ns(pid_t pid) {
  // To the nanosecond, and with the threads that have ended; /proc counts in hundredths of a second.
  clockid_t clock;
  timespec time;
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

namespace {
std::atomic<std::uint64_t> helpers_cpu_ns = 0;
}  // namespace

std::uint64_t own_cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + helpers_cpu_ns; }
void add_cpu_of_helper(std::uint64_t ns) { helpers_cpu_ns += ns; }

uid_t owner_of(pid_t pid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid), 1 << 20);
  std::vector<pid_t> users = status ? numbers(status_field(*status, "Uid")) : std::vector<pid_t>{};
  return users.size() > 1 ? static_cast<uid_t>(users[1]) : ~0u;
}

}  // namespace dwell
