// SPDX-License-Identifier: Apache-2.0
// Circles through other processes.
#include <fmt/core.h>

#include <algorithm>

#include "userspace/base/text.h"
#include "userspace/threads/handled_signals.h"
#include "userspace/threads/judge.h"

namespace dwell {
namespace {

bool is_main_thread(const ChainWait& wait) { return wait.tid == wait.pid; }

// "parent (10)", "worker (12) of server (10)"
std::string thread_words(const ChainWait& wait) {
  std::string process = fmt::format("{} ({})", wait.process, wait.pid);
  return is_main_thread(wait) ? process : fmt::format("{} ({}) of {}", wait.thread, wait.tid, process);
}

}  // namespace

std::string Judge::chain_words(const ChainWait& wait) const {
  std::uint64_t now = report_.now_ns;
  bool known = wait.since_ns && now > wait.since_ns;
  return fmt::format("{} {} for {}", thread_words(wait), known ? "has waited " + human_duration(now - wait.since_ns) : "waits", wait.waits_for);
}

// Of processes that hand over to each other many an instant looks like a circle: what is not proved has to last.
bool Judge::has_lasted(const ProcessCircle& circle) const {
  return std::ranges::all_of(circle.waits, [&](std::size_t index) {
    std::uint64_t since = report_.chain.waits[index].since_ns;
    return since && report_.now_ns > since && report_.now_ns - since >= options_.stuck_after_ns;
  });
}

void Judge::find_circles_of_processes() {
  for (const ProcessCircle& circle : find_process_circles(report_.chain))
    if (circle.unproved.empty() || has_lasted(circle)) add_circle(circle);
}

void Judge::add_circle(const ProcessCircle& circle) {
  Verdict verdict{.kind = VerdictKind::kDeadlock, .certainty = circle.unproved.empty() ? Certainty::kCertain : Certainty::kLikely};
  verdict.processes = circle.processes;
  std::string names;
  for (std::uint32_t pid : circle.processes) {
    auto wait = std::ranges::find(report_.chain.waits, pid, &ChainWait::pid);
    names += fmt::format("{}{} ({})", names.empty() ? "" : pid == circle.processes.back() ? " and " : ", ", wait->process, pid);
  }
  verdict.headline = fmt::format("{} processes wait for each other: {}", circle.processes.size(), names);
  for (std::size_t wait : circle.waits) verdict.evidence.push_back(chain_words(report_.chain.waits[wait]));
  if (!circle.others.empty()) verdict.evidence.push_back(fmt::format("{} more of these processes wait for one another", count_threads(circle.others.size())));
  verdict.evidence.push_back(circle.unproved.empty() ? "Everybody who could end these waits was looked at; all of them wait in the circle, and none ran meanwhile"
                                                     : "Not proved: " + circle.unproved);
  if (circle.signals) verdict.evidence.push_back("Signals that they handle: " + signal_names(circle.signals));
  for (const std::vector<std::size_t>* some : {&circle.waits, &circle.others}) {
    for (std::size_t index : *some) {
      auto thread = std::ranges::find(report_.threads, report_.chain.waits[index].tid, [](const ThreadRow& row) { return row.facts.tid; });
      if (thread == report_.threads.end()) continue;
      auto at = static_cast<std::size_t>(thread - report_.threads.begin());
      if (some == &circle.waits) verdict.threads.push_back(at);
      if (circle.unproved.empty()) explained_[at] = true;
    }
  }
  verdicts_.push_back(std::move(verdict));
}

}  // namespace dwell
