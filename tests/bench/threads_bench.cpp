// SPDX-License-Identifier: Apache-2.0
// threads_bench PID [LOOKS]: how long a look at the threads of a process takes, alone and with all that is
// told of it.
#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <vector>

#include "userspace/threads/looker.h"
#include "userspace/threads/observer.h"

namespace {

template <typename Work>
double milliseconds(Work work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void tell(std::vector<double> values, const char* what) {
  std::ranges::sort(values);
  fmt::print("  {:8.1f} {:8.1f}  {}\n", values[values.size() / 2], values[0], what);
}

template <typename T>
T expect(dwell::Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "threads_bench: {}\n", result.error().what);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  pid_t pid = std::atoi(argv[1]);
  int looks = argc > 2 ? std::atoi(argv[2]) : 9;
  int file = ::memfd_create("threads_bench", 0);
  auto writer = expect(dwell::RecordingWriter::create(dwell::OutputFile::on(dwell::UniqueFd(::dup(file)), "looks"), {}));
  std::optional<dwell::ThreadObserver> observer;
  double open = milliseconds([&] { observer.emplace(expect(dwell::ThreadObserver::open(pid, writer))); });
  std::size_t threads = 0;
  double first = milliseconds([&] { threads = expect(observer->look()).threads.size(); });
  std::vector<double> whole, raw, times;
  auto looker = expect(dwell::ThreadLooker::open(pid));
  for (int i = 0; i < looks; ++i) {
    whole.push_back(milliseconds([&] { expect(observer->look()); }));
    raw.push_back(milliseconds([&] { expect(looker.look()); }));
    times.push_back(milliseconds([&] { expect(looker.look_at_times()); }));
  }
  fmt::print("{} threads, {} looks, in ms:\n  {:>8} {:>8}\n", threads, looks, "median", "best");
  tell({open}, "load the program, read the unwind tables");
  tell(raw, "registers, states, times and stacks as they are");
  tell(times, "only whether they have run");
  tell(whole, "all that is told: stacks walked, locks and owners read, looked at again");
  tell({first}, "the first time, with names");
}
