// SPDX-License-Identifier: Apache-2.0
// go_look PID LOOKS: how long a look at all goroutines takes, of the clock and of a processor, everything
// that the report needs included.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "userspace/base/files.h"
#include "userspace/go/goroutines/report.h"
#include "userspace/process/process.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  dwell::Result<dwell::GoRuntime> runtime = dwell::GoRuntime::attach(std::atoi(argv[1]));
  if (!runtime) {
    fmt::print(stderr, "go_look: {}\n", runtime.error().what);
    return 1;
  }
  std::vector<double> times, of_processor;
  dwell::GoroutineReport last;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    std::uint64_t before = dwell::own_cpu_ns();
    dwell::Result<dwell::GoroutineReport> report = dwell::look_at_goroutines(*runtime);
    if (!report) {
      fmt::print(stderr, "go_look: {}\n", report.error().what);
      return 1;
    }
    times.push_back(static_cast<double>(report->look_ns) / 1e6);
    of_processor.push_back(static_cast<double>(dwell::own_cpu_ns() - before) / 1e6);
    last = std::move(*report);
  }
  std::sort(times.begin(), times.end());
  std::sort(of_processor.begin(), of_processor.end());
  dwell::Result<std::string> status = dwell::read_file("/proc/self/status");
  std::size_t at = status ? status->find("VmHWM:") : std::string::npos;
  std::string memory =
      at == std::string::npos ? "?" : status->substr(at + 6, status->find('\n', at) - at - 6);
  fmt::print(
      "{} goroutines in {} stacks: {:.0f} ms of a processor a look, {:.0f} ms by the clock (medians of {}; "
      "at best {:.0f} by the clock); most memory of "
      "ours:{}; "
      "read again {}, without a stack {}\n",
      last.figures.alive, last.groups.size(), of_processor[times.size() / 2], times[times.size() / 2], times.size(), times.front(), memory, last.figures.torn, last.figures.moved + last.figures.broken);
}
