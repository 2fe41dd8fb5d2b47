// SPDX-License-Identifier: Apache-2.0
#include "ui/escape.h"
#include "ui/json_parts.h"
#include "userspace/threads/text.h"

namespace dwell {
namespace {

constexpr int kThreadsJsonVersion = 1;

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(printable(text)); }

Json thread_json(const ThreadRow& thread) {
  const ThreadFacts& facts = thread.facts;
  return {{"tid", facts.tid},
          {"own_tid", facts.own_tid},
          {"name", printable(facts.name)},
          {"state", name_of(facts.state)},
          {"wait", name_of(facts.wait)},
          {"waits_for", or_null(facts.waits_for)},
          {"timed", facts.timed},
          {"lock", facts.lock < 0 ? Json(nullptr) : Json(facts.lock)},
          {"system_call", facts.call < 0 ? Json(nullptr) : Json(facts.call)},
          {"waiting_ns", thread.waiting_ns ? Json(*thread.waiting_ns) : Json(nullptr)},
          {"cpu_ns", facts.cpu_ns},
          {"busy_ns", facts.busy_over_ns ? Json(facts.busy_ns) : Json(nullptr)},
          {"busy_over_ns", facts.busy_over_ns ? Json(facts.busy_over_ns) : Json(nullptr)},
          {"spins", facts.spins},
          {"spins_on", facts.spins_on},
          {"voluntary_switches", facts.voluntary_switches},
          {"involuntary_switches", facts.involuntary_switches},
          {"moved", facts.moved},
          {"group", thread.group}};
}

Json stack_of(const ThreadStack& stack) {
  return {{"frames", stack_json(stack.frames)}, {"incomplete", or_null(stack.incomplete)}};
}

Json group_json(const ThreadGroup& group) {
  return {{"threads", group.threads},
          {"stack", stack_of(group.stack)},
          {"kernel_stack", group.kernel_stack.frames.empty() ? Json(nullptr) : stack_of(group.kernel_stack)}};
}

Json verdict_json(const Verdict& verdict) {
  return {{"kind", name_of(verdict.kind)},
          {"certainty", name_of(verdict.certainty)},
          {"stuck_for_good", verdict.stuck_for_good()},
          {"headline", printable(verdict.headline)},
          {"evidence", list(verdict.evidence, text_json)},
          {"threads", verdict.threads},
          {"locks", verdict.locks}};
}

std::string_view name_of(OwnerState state) {
  switch (state) {
    case OwnerState::kNone:
      return "none";
    case OwnerState::kThread:
      return "thread";
    case OwnerState::kElsewhere:
      return "elsewhere";
    case OwnerState::kGone:
      return "gone";
    default:
      return "unnamed";
  }
}

Json block_json(const BlockSite& block) {
  return {{"address", block.address},
          {"size", block.size},
          {"kind", block.kind},
          {"age_ns", block.age_ns},
          {"incomplete", or_null(block.incomplete)},
          {"stack", stack_json(block.stack)}};
}

Json likely_json(const LikelyHolder& holder) { return {{"thread", holder.tid}, {"function", printable(holder.function)}}; }

Json lock_json(const LockFacts& lock, const BlockSite* block) {
  return {{"address", lock.address},
          {"kind", name_of(lock.kind)},
          {"words", printable(lock.words)},
          {"shared", lock.shared},
          {"owner_state", name_of(lock.owner_state)},
          {"owner", lock.owner ? Json(lock.owner) : Json(nullptr)},
          {"owner_words", or_null(lock.owner_words)},
          {"likely_holders", list(lock.likely, likely_json)},
          {"readers", lock.readers},
          {"upgrading", list(lock.upgrading, likely_json)},
          {"block", block ? block_json(*block) : Json(nullptr)}};
}

Json locks_json(const ThreadReport& report) {
  Json locks = Json::array();
  for (std::size_t i = 0; i < report.locks.size(); ++i)
    locks.push_back(lock_json(report.locks[i], report.block_of(static_cast<std::int32_t>(i))));
  return locks;
}

Json chain_json(const ThreadReport& report) {
  Json chain = Json::array();
  for (std::size_t i = 0; i < report.chain.waits.size(); ++i) {
    const ChainWait& wait = report.chain.waits[i];
    chain.push_back({{"pid", wait.pid},
                     {"process", printable(wait.process)},
                     {"tid", wait.tid},
                     {"name", printable(wait.thread)},
                     {"waits_for", or_null(wait.waits_for)},
                     {"wakers", wait.wakers},
                     {"unproved", or_null(wait.unproved)},
                     {"stack", stack_of(report.chain_stacks[i])}});
  }
  return chain;
}

}  // namespace

std::string threads_json(const ThreadReport& report) {
  return json_text({{"format", "dwell threads"},
                    {"version", kThreadsJsonVersion},
                    {"recording", recording_json(report.info, report.duration_ns)},
                    {"process", process_json(report.process)},
                    {"time_ns", report.time_ns},
                    {"look_ns", report.duration_ns},
                    {"notes", list(report.notes, text_json)},
                    {"verdicts", list(report.verdicts, verdict_json)},
                    {"threads", list(report.threads, thread_json)},
                    {"locks", locks_json(report)},
                    {"groups", list(report.groups, group_json)},
                    {"chain", chain_json(report)}});
}

}  // namespace dwell
