// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/stuck.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <optional>

#include "userspace/base/clock.h"
#include "userspace/go/goroutines/reader.h"
#include "userspace/go/heap/reachability.h"

namespace dwell {
namespace {

using Unwokens = absl::flat_hash_map<std::uint64_t, Unwoken>;

// The runtime counts modulo 256 how often a goroutine left its processor: seldom enough looked at, one that is busy
// could come round to the same number.
constexpr std::uint64_t kGlanceNs = 25'000'000;
// After a look that was wrong, so many in a row must change nothing.
constexpr int kQuietLooks = 2;
constexpr std::uint64_t kMuchHeld = 1 << 20, kPartHeld = 4, kManyHeld = 100;

void pause_for(std::uint64_t ns) {
  timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (::nanosleep(&time, &time) != 0) {
  }
}

// Those that are in both, and have not run in between.
void keep_still(Unwokens& all, const Unwokens& later) {
  absl::erase_if(all, [&](auto& each) {
    auto found = later.find(each.first);
    bool same = found != later.end() && found->second.waits_at == each.second.waits_at &&
                !has_run_between(each.second.still, found->second.still);
    if (same) each.second.still.since_ns = found->second.still.since_ns;
    return !same;
  });
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

// What all looks so far agree on.
struct Agreed {
  Unwokens goroutines, abandoned;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> useless_timers;
  absl::flat_hash_set<std::uint64_t> lost, ran;
  std::size_t wrong = 0;  // goroutines that a look found stuck, and that went on
  int quiet = 0;          // looks in a row that changed nothing

  explicit Agreed(Unreached&& first)
      : goroutines(std::move(first.goroutines)),
        abandoned(std::move(first.abandoned)),
        useless_timers(std::move(first.useless_timers)),
        lost(lost_of(first.contexts)),
        ran(std::move(first.ran)) {}

  std::size_t claims() const { return goroutines.size() + abandoned.size(); }
  bool nothing() const { return goroutines.empty() && abandoned.empty() && useless_timers.empty() && lost.empty(); }
  bool enough() const { return ran.empty() && (!wrong || quiet >= kQuietLooks); }

  void agree_with(const Unreached& look) {
    std::size_t before = claims();
    keep_still(goroutines, look.goroutines);
    keep_still(abandoned, look.abandoned);
    keep_common(useless_timers, look.useless_timers);
    keep_common(lost, lost_of(look.contexts));
    keep_common(ran, look.ran);
    wrong += before - claims();
    quiet = before == claims() ? quiet + 1 : 0;
  }

  // Between two looks: who of them runs.
  void drop_who_runs(const GoRuntime& runtime) {
    auto runs = [&](const auto& each) {
      std::optional<Goroutine> now = read_goroutine_state(runtime, each.second.still.address);
      return !now || has_run_between(each.second.still, stillness_of(*now));
    };
    std::size_t before = claims();
    absl::erase_if(goroutines, runs);
    absl::erase_if(abandoned, runs);
    wrong += before - claims();
    if (before != claims()) quiet = 0;
  }
};

void watch_for(std::uint64_t ns, const GoRuntime& runtime, Agreed& agreed) {
  std::uint64_t end = monotonic_ns() + ns;
  for (std::uint64_t now = monotonic_ns(); now < end; now = monotonic_ns()) {
    pause_for(std::min(kGlanceNs, end - now));
    agreed.drop_who_runs(runtime);
  }
}

// Whether it is worth a second look if it grows: it holds a good part of the heap.
bool holds_much(const GoHolder& holder, std::uint64_t heap_bytes) {
  return holder.bytes >= kMuchHeld && holder.bytes >= heap_bytes / kPartHeld && holder.length() >= kManyHeld;
}

// `last`: as of the look before.
void note_growth(const std::vector<GoHolder>& first, const std::vector<GoHolder>& last, std::uint64_t since_ns, std::vector<GoHolder>& holders) {
  for (GoHolder& holder : holders) {
    auto before = std::ranges::find(first, holder.address, &GoHolder::address), between = std::ranges::find(last, holder.address, &GoHolder::address);
    if (before == first.end() || between == last.end()) continue;
    holder.length_before = before->length();
    holder.length_between = between->length();
    holder.since_ns = since_ns;
  }
}

// A map that filled once, as a program's start fills its own, may look the same at two moments: a third one tells.
bool seems_to_grow(const GoHolder& holder) { return holder.since_ns && holder.length() > holder.length_before; }

std::string reservation_of(const Agreed& agreed, int looks) {
  if (!agreed.ran.empty())
    return fmt::format("goroutine {} ran at each of the {} looks, and what is in its registers was not seen",
                       *std::min_element(agreed.ran.begin(), agreed.ran.end()), looks);
  return fmt::format("the program is so busy that looks at its memory contradict each other: of {} goroutines that "
                     "one found stuck, another saw that they go on",
                     agreed.wrong);
}

void take(Agreed& agreed, StuckFinding& finding) {
  for (const auto& [id, unwoken] : agreed.goroutines) finding.goroutines.insert(id);
  for (const auto& [id, unwoken] : agreed.abandoned) finding.abandoned.insert(id);
  for (const auto& [address, when] : agreed.useless_timers) finding.useless_timers.insert(address);
  for (GoContext& context : finding.contexts) context.lost = agreed.lost.contains(context.address);
  finding.proved = agreed.enough();
  if (!finding.proved && !agreed.nothing()) finding.reservation = reservation_of(agreed, finding.looks);
}

}  // namespace

Result<StuckFinding> find_stuck(const GoRuntime& runtime, const StuckOptions& options) {
  StuckFinding finding;
  std::optional<Agreed> agreed;
  std::vector<GoHolder> first_holders, last_holders;
  GoFileSet first_files;
  std::uint64_t last_files = 0;
  std::uint64_t first_ns = 0;
  bool asks_again = false;  // what holds the heap seems to grow
  do {
    if (agreed) watch_for(options.pause_ns, runtime, *agreed);
    std::uint64_t start = monotonic_ns();
    Result<Unreached> unreached = mark_reachable(runtime, options.copy_limit, options.what_is_unheld);
    if (!unreached)
      return unreached.error().because_of(
          fmt::format("look which goroutines of PID {} can never wake", runtime.memory().pid()));
    finding.took_ns += monotonic_ns() - start;
    finding.candidates = unreached->candidates;
    finding.copied_bytes = unreached->copied_bytes;
    finding.not_judged = unreached->not_judged;
    finding.contexts = unreached->contexts;
    finding.holders = unreached->holders;
    finding.reached_bytes = unreached->reached_bytes;
    if (finding.looks++ == 0) {
      first_holders = unreached->holders;
      first_files = unreached->files;
      first_ns = start;
    } else {
      note_growth(first_holders, last_holders, start - first_ns, finding.holders);
    }
    last_holders = unreached->holders;
    finding.files = open_files_since(first_files, last_files, unreached->files, start - first_ns);
    finding.files.held = unreached->files_held;
    finding.files.holder = unreached->files_holder;
    last_files = unreached->files.size();
    asks_again = finding.looks == 2 && (files_seem_to_grow(finding.files) || std::ranges::any_of(finding.holders, [&](const GoHolder& holder) {
                                          return seems_to_grow(holder) && holds_much(holder, finding.reached_bytes);
                                        }));
    bool may_grow = finding.files.count >= kManyOpenFiles || std::ranges::any_of(first_holders, [&](const GoHolder& holder) { return holds_much(holder, finding.reached_bytes); });
    if (agreed)
      agreed->agree_with(*unreached);
    else
      agreed.emplace(std::move(*unreached));
    if (agreed->nothing() && !asks_again && !(may_grow && finding.looks == 1)) break;
  } while (finding.looks < options.looks || asks_again || (!agreed->nothing() && !agreed->enough() && finding.looks < options.most_looks));
  take(*agreed, finding);
  return finding;
}

}  // namespace dwell
