// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/go/account.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

#include "userspace/go/goroutines/report.h"

namespace dwell::testing {
namespace {

std::string without_arguments(const std::string& line) {
  std::string name = line.substr(0, line.rfind('('));
  std::size_t goroutine = name.find(" in goroutine ");
  return name.rfind("created by ", 0) == 0 ? line.substr(0, line.find(" in goroutine "))
                                           : name.substr(0, goroutine);
}

std::string place(const std::string& line) {
  std::size_t start = line.find_first_not_of(" \t");
  return line.substr(start, line.find(" +0x") - start);
}

}  // namespace

Accounts parse_traceback(const std::string& text) {
  Accounts accounts;
  Account* account = nullptr;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("goroutine ", 0) == 0) {
      account = &accounts[std::stoull(line.substr(10))];
      account->state = line.substr(line.find('[') + 1);
      account->state.resize(account->state.find_first_of(",]"));
    } else if (line.empty() || !account) {
      account = nullptr;
    } else if (line.rfind("...", 0) == 0) {
      account->elided_after = account->frames.size();
    } else if (line[0] == '\t') {
      account->frames.back() += " " + place(line);
    } else {
      account->frames.push_back(without_arguments(line));
    }
  }
  return accounts;
}

Accounts look(const GoRuntime& runtime) {
  Accounts accounts;
  auto add = [&](const Goroutine& goroutine) {
    if (runtime.frames().function_at(goroutine.start_pc).rfind("runtime.", 0) == 0 && goroutine.id != 1)
      return;
    Account& account = accounts[goroutine.id];
    account.state = runtime.wait_reason(goroutine.wait_reason);
    for (const GoCall& call : runtime.frames().calls(goroutine.pcs)) {
      if (!call.hidden)
        account.frames.push_back(fmt::format("{} {}:{}", call.function, call.file, call.line));
    }
    if (goroutine.id == 1 || !goroutine.creator_pc) return;
    GoCall creator = runtime.frames().call_before(goroutine.creator_pc);
    account.frames.push_back(
        fmt::format("created by {} {}:{}", creator.function, creator.file, creator.line));
  };
  if (!read_goroutines(runtime, add)) accounts.clear();
  return accounts;
}

bool same_stack(const Account& traceback, const Account& look) {
  if (!traceback.elided_after) {
    // Before Go 1.21 the innermost 100 are written, and nothing about the others.
    constexpr std::size_t kWritten = 100;
    if (look.frames.size() <= kWritten + 1) return traceback.frames == look.frames;
  }
  std::size_t first = traceback.elided_after ? traceback.elided_after : traceback.frames.size() - 1;
  std::size_t last = traceback.frames.size() - first;
  return look.frames.size() >= first + last &&
         std::equal(traceback.frames.begin(), traceback.frames.begin() + first, look.frames.begin()) &&
         std::equal(traceback.frames.end() - last, traceback.frames.end(), look.frames.end() - last);
}

std::string text_of(const Account& account) {
  std::string text = "[" + account.state + "]\n";
  constexpr std::size_t kMost = 30;
  for (std::size_t i = 0; i < std::min(account.frames.size(), kMost); ++i)
    text += "  " + account.frames[i] + "\n";
  return text;
}

}  // namespace dwell::testing
