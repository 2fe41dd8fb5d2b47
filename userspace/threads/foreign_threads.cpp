// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/foreign_threads.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/process/process.h"

namespace dwell {
namespace {

std::uint64_t count_in(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

// "61 0xffffffffffffffff 0x7ffc... 0x0 0x0 0x0 0x0 0x7ffc... 0x7f1b...": number, arguments, stack pointer, pc. "running" and
// "-1 ..." are of threads that are in none.
void parse_call(std::string_view syscall, ForeignThread& thread) {
  constexpr std::size_t kWords = 9;
  std::vector<std::string_view> words = words_in(syscall.substr(0, syscall.find('\n')));
  if (words.size() < kWords || words[0].starts_with("-")) return;
  thread.in_call = true;
  thread.call = count_in(words[0]);
  for (std::size_t i = 0; i < 6; ++i) {
    std::string_view word = words[i + 1].substr(std::min<std::size_t>(2, words[i + 1].size()));
    std::from_chars(word.data(), word.data() + word.size(), thread.args[i], 16);
  }
}

void parse_task_status(std::string_view status, ForeignThread& thread) {
  thread.name = status_field(status, "Name");
  std::string state = status_field(status, "State");
  thread.sleeps = state.starts_with("S") || state.starts_with("D");
  thread.switches = count_in(status_field(status, "voluntary_ctxt_switches")) + count_in(status_field(status, "nonvoluntary_ctxt_switches"));
}

std::vector<ForeignThread> read_foreign_threads(pid_t pid) {
  std::vector<ForeignThread> threads;
  std::error_code error;
  for (std::filesystem::directory_iterator at(fmt::format("/proc/{}/task", pid), error), end; !error && at != end; at.increment(error)) {
    ForeignThread& thread = threads.emplace_back();
    thread.tid = static_cast<Tid>(count_in(at->path().filename().native()));
    if (Result<std::string> status = read_file(at->path() / "status", 1 << 16)) parse_task_status(*status, thread);
    if (Result<std::string> call = read_file(at->path() / "syscall", 1 << 12)) parse_call(*call, thread);
  }
  std::ranges::sort(threads, {}, &ForeignThread::tid);
  return threads;
}

}  // namespace dwell
