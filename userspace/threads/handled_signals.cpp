// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/handled_signals.h"

#include <dirent.h>
#include <fmt/core.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "userspace/base/files.h"
#include "userspace/process/process.h"

namespace dwell {
namespace {

constexpr std::size_t kMostThreads = 256;  // whose masks are read

std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

// Signals 32 and 33 cancel threads and set user ids in all of them.
constexpr std::uint64_t kOfLibrary = std::uint64_t{3} << 31;

std::uint64_t raised_by_errors() {
  std::uint64_t mask = 0;
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) mask |= bit_of(signal);
  return mask;
}

}  // namespace

std::uint64_t signal_mask(std::string_view status, std::string_view field) {
  return std::strtoull(status_field(status, field).c_str(), nullptr, 16);
}

std::uint64_t that_may_come(std::uint64_t handled, std::uint64_t blocked) {
  return handled & ~blocked & ~kOfLibrary & ~raised_by_errors();
}

std::uint64_t handled_signals(pid_t pid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid), 1 << 16);
  if (!status) return 0;
  std::uint64_t handled = signal_mask(*status, "SigCgt"), blocked = ~std::uint64_t{0};
  std::string folder = fmt::format("/proc/{}/task", pid);
  std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir(folder.c_str()), ::closedir);
  std::size_t read = 0;
  while (dirent* entry = tasks ? ::readdir(tasks.get()) : nullptr) {
    if (entry->d_name[0] == '.') continue;
    if (++read > kMostThreads) blocked = 0;
    if (!(handled & blocked)) break;
    Result<std::string> thread = read_file(fmt::format("{}/{}/status", folder, entry->d_name), 1 << 16);
    if (thread) blocked &= signal_mask(*thread, "SigBlk");
  }
  return that_may_come(handled, read ? blocked : 0);
}

std::string signal_names(std::uint64_t signals) {
  constexpr int kNamed = 4;
  std::string text;
  int more = 0;
  for (int signal = 1; signal <= 64; ++signal) {
    if (!(signals & bit_of(signal))) continue;
    const char* name = ::sigabbrev_np(signal);
    int told = static_cast<int>(std::count(text.begin(), text.end(), ',')) + (text.empty() ? 0 : 1);
    if (told >= kNamed) {
      ++more;
      continue;
    }
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal));
  }
  if (text.empty()) return "no signal";
  return more ? fmt::format("{} and {} more signals", text, more) : text;
}

}  // namespace dwell
