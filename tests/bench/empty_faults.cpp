// SPDX-License-Identifier: Apache-2.0
// Puts empty programs at page faults, in one of two ways, and holds them until its standard input ends:
//   empty_faults tracepoint     of the whole machine
//   empty_faults event PID      the software event, of each thread of the process and of those that they make
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "empty_fault.skel.h"

namespace {

int open_event(pid_t tid) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_PAGE_FAULTS;
  attr.sample_period = 1;
  attr.inherit = 1;
  return static_cast<int>(::syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

bool attach(::empty_fault& programs, const std::string& way, const char* pid, std::vector<bpf_link*>& links) {
  if (way == "tracepoint") {
    links = {bpf_program__attach(programs.progs.on_user_fault), bpf_program__attach(programs.progs.on_kernel_fault)};
    return links[0] && links[1];
  }
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    int event = open_event(std::atoi(task.path().filename().c_str()));
    if (event < 0) return false;
    links.push_back(bpf_program__attach_perf_event(programs.progs.on_event, event));
    if (!links.back()) return false;
  }
  return !links.empty();
}

}  // namespace

int main(int argc, char** argv) {
  std::unique_ptr<::empty_fault, decltype(&empty_fault__destroy)> programs(empty_fault__open_and_load(), empty_fault__destroy);
  std::vector<bpf_link*> links;
  bool usable = argc > 1 && (std::string(argv[1]) == "tracepoint" || argc > 2);
  if (!usable || !programs || !attach(*programs, argv[1], argc > 2 ? argv[2] : "", links)) {
    fmt::print(stderr, "empty_faults: the programs could not be loaded and attached\n");
    return 1;
  }
  fmt::print("attached\n");
  std::fflush(stdout);
  char ignored;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {
  }
  for (bpf_link* link : links) bpf_link__destroy(link);
}
