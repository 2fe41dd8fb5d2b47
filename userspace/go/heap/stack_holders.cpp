// SPDX-License-Identifier: Apache-2.0
// What goroutines' frames, timers and finalizers lead to, and no global variable does.
#include "userspace/go/heap/marker.h"

namespace dwell {
namespace {

// Walking a million stacks once more would take longer than the look itself.
constexpr std::size_t kMostGoroutines = 200'000;
constexpr std::uint64_t kMuchUnexplained = 1 << 20;

}  // namespace

void Marker::follow_frames(const Goroutine& goroutine,
                           absl::flat_hash_map<std::uint64_t, GoHolder>& holders) {
  auto account = [&](std::uint64_t pc) {
    if (open_.empty()) return;
    std::optional<GoRecord> function = runtime_.frames().table().record_at(pc);
    std::uint64_t entry = function ? function->entry : 0;
    GoHolder& holder = holders[entry];
    holder.kind = GoHolderKind::kFrame;
    holder.address = entry;
    if (holder.goroutine != goroutine.id) ++holder.goroutines;
    holder.goroutine = goroutine.id;
    std::uint64_t before = holder.bytes;
    closures_.clear();
    follow(holder);
    if (holder.bytes - before >= holder.most_bytes) {
      holder.most_bytes = holder.bytes - before;
      holder.pc = pc;
    }
  };
  std::optional<GoObject> own = heap_.object_at(goroutine.address);
  std::vector<std::uint64_t> deferred;
  if (own) deferred = mark_deferred(heap_.contents(*own));
  account(goroutine.start_pc);
  roots_.visit_by_frame(goroutine, deferred, [&](std::uint64_t pc, std::uint64_t word) {
    mark(word);
    account(pc);
  });
}

void Marker::find_other_holders(std::uint64_t explained_bytes) {
  if (result_.reached_bytes < explained_bytes + kMuchUnexplained ||
      live_.size() + candidates_.size() > kMostGoroutines)
    return;
  absl::flat_hash_map<std::uint64_t, GoHolder> by_function;
  for (const Goroutine& goroutine : live_) follow_frames(goroutine, by_function);
  for (const Candidate& candidate : candidates_) follow_frames(candidate.goroutine, by_function);
  for (const auto& [entry, holder] : by_function) result_.holders.push_back(holder);
  GoHolder timers, finalizers;
  timers.kind = GoHolderKind::kTimers;
  mark_timers();
  follow(timers);
  finalizers.kind = GoHolderKind::kFinalizers;
  for (const GoSpan& span : heap_.spans()) {
    if (span.specials) mark_specials(span);
  }
  follow(finalizers);
  for (const GoHolder& holder : {timers, finalizers})
    if (holder.objects) result_.holders.push_back(holder);
}

}  // namespace dwell
