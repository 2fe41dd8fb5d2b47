// SPDX-License-Identifier: Apache-2.0
// The memory of a Go program as its readers see it, where the program is hostile: a real one that stands still, and in
// what is read of it the fuzzer's changes. Each change hits one read: which of them, where in it, and what it says there.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/fuzz/input.h"
#include "tests/fuzz/memory_bound.h"
#include "userspace/go/heap/collector.h"
#include "userspace/go/waits/contention_profile.h"
#include "userspace/go/contexts/contexts.h"
#include "userspace/go/goroutines/reader.h"
#include "userspace/go/heap/profile.h"
#include "userspace/go/goroutines/labels.h"
#include "userspace/go/heap/reachability.h"
#include "userspace/go/timers/timers.h"

namespace {

using dwell::testing::Input;

// Ends with us, whatever ends us.
pid_t start_program() {
  int input[2], output[2];  // its input stays open: at the end of it, it would end
  if (::pipe(input) != 0 || ::pipe(output) != 0) std::abort();
  pid_t pid = ::fork();
  if (pid < 0) std::abort();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(input[0], 0);
    ::dup2(output[1], 1);
    ::close(input[1]);
    ::execl(DWELL_GO_PROGRAM, "contexts", nullptr);
    ::_exit(127);
  }
  ::close(output[1]);
  char byte;
  while (::read(output[0], &byte, 1) == 1 && byte != '\n') continue;  // "ready"
  ::kill(pid, SIGSTOP);
  int status;
  ::waitpid(pid, &status, WUNTRACED);
  if (!WIFSTOPPED(status)) std::abort();
  return pid;
}

struct Change {
  std::uint32_t read;    // which one, counted from 1
  std::uint32_t offset;  // of a word in it, modulo its size
  std::uint64_t word;
  std::uint8_t how;
};

std::uint64_t changed(std::uint64_t word, const Change& change) {
  switch (change.how % 5) {
    case 0: return change.word;
    case 1: return word ^ change.word;
    case 2: return word + static_cast<std::int8_t>(change.word);
    case 3: return std::uint64_t{1} << (change.word % 64);
    default: return word << (change.word % 64);
  }
}

class HostileProgram {
 public:
  HostileProgram(pid_t pid, std::vector<Change> changes) : truth_(pid), changes_(std::move(changes)) {}

  std::size_t read(std::uint64_t address, void* to, std::size_t size) {
    std::size_t got = truth_.read_some(address, to, size);
    ++reads_;
    for (const Change& change : changes_) {
      // Far reads are as likely as near ones: a look has some thousands.
      if (change.read % 8192 != reads_ || got < 8) continue;
      char* at = static_cast<char*>(to) + change.offset % (got / 8) * 8;
      std::uint64_t word;
      std::memcpy(&word, at, 8);
      word = changed(word, change);
      std::memcpy(at, &word, 8);
      if (change.how & 0x80) got = change.offset % got;
    }
    return got;
  }

 private:
  dwell::ProcessMemory truth_;
  std::vector<Change> changes_;
  std::uint32_t reads_ = 0;
};

void look(const dwell::GoRuntime& runtime) {
  std::uint64_t labels = 0;
  auto visit = [&](const dwell::Goroutine& goroutine) { labels = labels ? labels : goroutine.labels; };
  (void)dwell::read_goroutines(runtime, visit);
  dwell::read_labels(runtime, labels);
  (void)dwell::read_timers(runtime);
  (void)dwell::ContextTypes::find(runtime);
  constexpr std::uint64_t kCopyLimit = 64 << 20;
  (void)dwell::mark_reachable(runtime, kCopyLimit, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const pid_t kProgram = start_program();
  Input input(data, size);
  std::vector<Change> changes(input.byte() % 8);
  for (Change& change : changes)
    change = {input.take<std::uint16_t>(), input.take<std::uint16_t>(), input.take<std::uint64_t>(), input.byte()};
  HostileProgram program(kProgram, std::move(changes));
  // The program itself is some megabytes, of which the marking makes a copy.
  dwell::testing::MemoryBound bound(size, std::size_t{192} << 20, 4096);
  auto memory = std::make_unique<dwell::ProcessMemory>(
      kProgram, [&](std::uint64_t address, void* to, std::size_t bytes) { return program.read(address, to, bytes); });
  if (auto runtime = dwell::GoRuntime::attach(std::move(memory))) look(*runtime);
  return 0;
}
