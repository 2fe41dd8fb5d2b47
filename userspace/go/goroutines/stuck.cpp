// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/stuck.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>

#include "userspace/base/clock.h"
#include "userspace/go/heap/reachability.h"

namespace dwell {
namespace {

void pause_for(std::uint64_t ns) {
  timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (::nanosleep(&time, &time) != 0) {
  }
}

// A timer that was set anew is not the one of before.
void keep_common(absl::flat_hash_map<std::uint64_t, std::uint64_t>& all,
                 const absl::flat_hash_map<std::uint64_t, std::uint64_t>& other) {
  absl::erase_if(all, [&](const auto& timer) {
    auto found = other.find(timer.first);
    return found == other.end() || found->second != timer.second;
  });
}

void keep_common(absl::flat_hash_set<std::uint64_t>& all, const absl::flat_hash_set<std::uint64_t>& other) {
  absl::erase_if(all, [&](std::uint64_t id) { return !other.contains(id); });
}

absl::flat_hash_set<std::uint64_t> lost_of(const std::vector<GoContext>& contexts) {
  absl::flat_hash_set<std::uint64_t> lost;
  for (const GoContext& context : contexts) {
    if (context.lost) lost.insert(context.address);
  }
  return lost;
}

}  // namespace

Result<StuckFinding> find_stuck(const GoRuntime& runtime, const StuckOptions& options) {
  StuckFinding finding;
  absl::flat_hash_set<std::uint64_t> ran_always;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> useless_timers;
  absl::flat_hash_set<std::uint64_t> lost;
  do {
    if (finding.looks) pause_for(options.pause_ns);
    std::uint64_t start = monotonic_ns();
    Result<Unreached> unreached = mark_reachable(runtime, options.copy_limit, options.what_is_unheld);
    if (!unreached)
      return unreached.error().because_of(
          fmt::format("look which goroutines of PID {} can never wake", runtime.memory().pid()));
    finding.took_ns += monotonic_ns() - start;
    finding.candidates = unreached->candidates;
    finding.copied_bytes = unreached->copied_bytes;
    if (finding.looks++ == 0) {
      finding.goroutines = std::move(unreached->goroutines);
      useless_timers = std::move(unreached->useless_timers);
      lost = lost_of(unreached->contexts);
      ran_always = std::move(unreached->ran);
    } else {
      keep_common(finding.goroutines, unreached->goroutines);
      keep_common(useless_timers, unreached->useless_timers);
      keep_common(lost, lost_of(unreached->contexts));
      keep_common(ran_always, unreached->ran);
    }
    finding.contexts = std::move(unreached->contexts);
    if (finding.goroutines.empty() && useless_timers.empty() && lost.empty()) break;
  } while (finding.looks < options.looks || (!ran_always.empty() && finding.looks < options.most_looks));
  for (const auto& [address, when] : useless_timers) finding.useless_timers.insert(address);
  for (GoContext& context : finding.contexts) context.lost = lost.contains(context.address);
  finding.proved = ran_always.empty();
  if (!finding.proved && !(finding.goroutines.empty() && finding.useless_timers.empty() && lost.empty()))
    finding.reservation =
        fmt::format("goroutine {} ran at each of the {} looks, and what is in its registers was not seen",
                    *std::min_element(ran_always.begin(), ran_always.end()), finding.looks);
  return finding;
}

}  // namespace dwell
