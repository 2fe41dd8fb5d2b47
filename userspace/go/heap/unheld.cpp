// SPDX-License-Identifier: Apache-2.0
// The second marking: what is held by nobody who could use it, but by the runtime's list of timers or by a
// parent's list of what to cancel.
#include "userspace/go/heap/marker.h"

namespace dwell {

void Marker::begin_anew() {
  marked_.assign(marked_.size(), false);
  watched_.assign(watched_.size(), false);
  for (std::uint64_t object : hidden_) marked_[object] = true;
  specials_ = 0;
}

bool Marker::note_context(std::uint64_t word, std::uint64_t before) {
  const ContextTypes::Itab* itab = contexts_->itab(before);
  if (!itab || itab->kind == GoContextKind::kOther || !heap_.object_at(word)) return false;
  seen_contexts_.try_emplace(word, itab->kind);
  if (!itab->listed || parents_hold_) return false;
  listed_contexts_.push_back(word);
  return true;
}

void Marker::note_waiter(const Goroutine& goroutine, bool marks) {
  std::uint64_t sudog = waits(goroutine) ? goroutine.waiting : 0;
  for (std::size_t i = 0; sudog && i < kMostCases; ++i) {
    std::uint64_t channel =
        runtime_.memory().load<std::uint64_t>(sudog + runtime_.layout().sudog_channel).value_or(0);
    waiters_.try_emplace(channel, goroutine.address);
    if (marks) mark(channel);
    sudog = runtime_.memory().load<std::uint64_t>(sudog + runtime_.layout().sudog_next_case).value_or(0);
  }
}

void Marker::mark_user(const Goroutine& goroutine) {
  // Package context starts goroutines that do no more than hand on the end of a parent that it does not know.
  bool hands_on = runtime_.frames().function_at(goroutine.start_pc).rfind("context.", 0) == 0;
  note_waiter(goroutine, !hands_on);
  if (!hands_on) mark_goroutine(goroutine);
}

void Marker::note_deadlines(const std::vector<GoTimer>& timers) {
  if (!contexts_) return;
  for (const GoTimer& timer : timers) {
    if (timer.kind != GoTimerKind::kContext) continue;
    std::uint64_t context = contexts_->context_of(timer, heap_);
    if (!context) continue;
    deadlines_[context] = timer.when_ns;
    seen_contexts_.try_emplace(context, GoContextKind::kDeadline);
  }
}

// From whoever may run, without timers that only send and without what only parents and deadlines hold. Then
// with those of contexts, and at last it is known what sends to nobody.
void Marker::find_unheld() {
  Result<GoTimers> timers = read_timers(runtime_);
  if (!timers) return;
  begin_anew();
  contexts_ = ContextTypes::find(runtime_);
  parents_hold_ = false;
  note_deadlines(timers->pending);
  mark_globals();
  for (const GoSpan& span : heap_.spans()) {
    if (span.specials) mark_specials(span);
  }
  for (const Goroutine& goroutine : live_) mark_user(goroutine);
  for (const Candidate& candidate : candidates_) {
    if (candidate.reached) mark_user(candidate.goroutine);
    if (!candidate.reached) note_waiter(candidate.goroutine, false);
  }
  for (const GoTimer& timer : timers->pending) {
    if (timer.kind != GoTimerKind::kChannel && timer.kind != GoTimerKind::kContext) mark(timer.address);
  }
  drain();
  find_contexts(timers->pending);
  for (const GoTimer& timer : timers->pending) {
    if (timer.kind != GoTimerKind::kChannel) continue;
    std::optional<GoObject> channel = heap_.object_at(timer.argument);
    if (channel && !marked_[channel->number])
      result_.useless_timers[timer.address] = timer.period_ns ? timer.period_ns : timer.when_ns;
  }
}

void Marker::find_contexts(const std::vector<GoTimer>& timers) {
  std::vector<bool> held = marked_;
  parents_hold_ = true;
  for (std::uint64_t context : listed_contexts_) mark(context);
  for (const GoTimer& timer : timers) {
    if (timer.kind == GoTimerKind::kContext) mark(timer.address);
    if (timer.kind == GoTimerKind::kContext) mark(timer.argument);
  }
  drain();
  if (!contexts_) return;
  absl::flat_hash_set<std::uint64_t> lost_channels;
  for (const auto& [address, kind] : seen_contexts_) {
    std::optional<GoContext> context = contexts_->read(address, kind, heap_);
    if (!context) continue;
    std::optional<GoObject> object = heap_.object_at(address);
    std::uint64_t channel = ContextTypes::done_channel(heap_.contents(*object));
    if (auto found = waiters_.find(channel); channel && found != waiters_.end())
      context->waiter = found->second;
    if (auto found = deadlines_.find(address); found != deadlines_.end())
      context->deadline_ns = found->second;
    bool can_be_lost = kind == GoContextKind::kCancel || kind == GoContextKind::kDeadline;
    context->lost = can_be_lost && !held[object->number];
    if (context->lost && !context->deadline_ns && channel) lost_channels.insert(channel);
    result_.contexts.push_back(std::move(*context));
  }
  find_abandoned(lost_channels);
}

void Marker::find_abandoned(const absl::flat_hash_set<std::uint64_t>& lost_channels) {
  for (const Candidate& candidate : candidates_) {
    if (!candidate.reached || candidate.for_lock || lost_channels.empty()) continue;
    std::uint64_t sudog = candidate.goroutine.waiting;
    bool all_lost = sudog != 0;
    for (std::size_t i = 0; sudog && all_lost && i < kMostCases; ++i) {
      std::uint64_t channel =
          runtime_.memory().load<std::uint64_t>(sudog + runtime_.layout().sudog_channel).value_or(0);
      all_lost = lost_channels.contains(channel);
      sudog = runtime_.memory().load<std::uint64_t>(sudog + runtime_.layout().sudog_next_case).value_or(0);
    }
    if (all_lost)
      result_.abandoned[candidate.goroutine.id] = {stillness_of(candidate.goroutine), candidate.waits_at};
  }
}

}  // namespace dwell
