// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <tuple>

#include "userspace/views/frames.h"
#include "userspace/views/profile_builder.h"
#include "userspace/threads/part.h"

namespace dwell {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(ThreadState::kStates)> kStateNames = {
    "running", "ready", "sleeping", "uninterruptible", "stopped", "ended"};

constexpr std::array<std::string_view, static_cast<std::size_t>(WaitKind::kKinds)> kWaitNames = {
    "none",   "mutex",   "rwlock",  "condition",  "semaphore", "barrier", "join",  "once",
    "futex",  "input",   "output",  "connection", "poll",      "sleep",   "child", "file lock",
    "signal", "message", "io ring", "page fault", "kernel",    "other"};

Result<const ThreadLook*> last_look(const Recording& recording) {
  if (!threads_of(recording).looks.empty()) return &threads_of(recording).looks.back();
  return Error{"report threads: this recording holds no look at them",
               "make one: dwell threads -p PID -o FILE.dwell", Exit::kUsage};
}

std::optional<std::uint64_t> waiting_ns(const ThreadLook& look, const ThreadFacts& thread) {
  bool waits = thread.state != ThreadState::kRunning && thread.state != ThreadState::kReady;
  if (!waits || !thread.since_ns) return std::nullopt;
  std::uint64_t now = look.time_ns + look.duration_ns;
  return now > thread.since_ns ? now - thread.since_ns : 0;
}

ThreadStack stack_of(const Recording& recording, const std::shared_ptr<const FrameTexts>& texts, StackId id) {
  ThreadStack stack;
  const CallStack& from = recording.stacks[static_cast<std::size_t>(id)];
  stack.frames = {texts, id};
  if (!from.locations.empty()) stack.incomplete = incomplete_because(from.end);
  return stack;
}

// Two return addresses on one line are one place.
std::vector<std::uint32_t> readings_of(const Recording& recording, const FrameTexts& texts, StackId id) {
  std::vector<std::uint32_t> readings;
  for (std::uint32_t location : recording.stacks[static_cast<std::size_t>(id)].locations)
    readings.push_back(texts.reading(location));
  return readings;
}

void group_threads(const Recording& recording, const std::shared_ptr<const FrameTexts>& texts, ThreadReport& report) {
  using Key = std::tuple<std::vector<std::uint32_t>, std::vector<std::uint32_t>, ThreadState, WaitKind, bool>;
  std::map<std::tuple<StackId, StackId>, std::pair<std::vector<std::uint32_t>, std::vector<std::uint32_t>>>
      readings;
  std::map<Key, std::size_t> known;
  for (std::size_t i = 0; i < report.threads.size(); ++i) {
    const ThreadFacts& facts = report.threads[i].facts;
    auto [reading, fresh_stack] = readings.try_emplace({facts.stack, facts.kernel_stack});
    if (fresh_stack)
      reading->second = {readings_of(recording, *texts, facts.stack),
                         readings_of(recording, *texts, facts.kernel_stack)};
    Key key{reading->second.first, reading->second.second, facts.state, facts.wait, facts.timed};
    auto [group, fresh] = known.try_emplace(std::move(key), report.groups.size());
    if (fresh) {
      report.groups.push_back(
          {{}, stack_of(recording, texts, facts.stack), stack_of(recording, texts, facts.kernel_stack)});
    }
    report.groups[group->second].threads.push_back(i);
  }
}

void sort_within_groups(ThreadReport& report) {
  auto waited = [&](std::size_t thread) { return report.threads[thread].waiting_ns.value_or(0); };
  for (ThreadGroup& group : report.groups) std::ranges::stable_sort(group.threads, std::greater<>(), waited);
}

void number_groups(ThreadReport& report) {
  for (std::size_t g = 0; g < report.groups.size(); ++g)
    for (std::size_t thread : report.groups[g].threads) report.threads[thread].group = g;
}

void sort_groups(ThreadReport& report) {
  std::vector<bool> stuck(report.threads.size());
  for (const Verdict& verdict : report.verdicts)
    for (std::size_t thread : verdict.threads) stuck[thread] = stuck[thread] || verdict.stuck_for_good();
  auto rank = [&](const ThreadGroup& group) {
    const ThreadRow& first = report.threads[group.threads.front()];
    ThreadState state = first.facts.state;
    bool active = state == ThreadState::kRunning || state == ThreadState::kReady;
    bool is_stuck = std::ranges::any_of(group.threads, [&](std::size_t thread) { return stuck[thread]; });
    return std::tuple(!is_stuck, !active, active ? static_cast<int>(state) : 0,
                      ~first.waiting_ns.value_or(0));
  };
  std::ranges::stable_sort(report.groups, {}, rank);
  number_groups(report);
}

}  // namespace

std::string_view name_of(ThreadState state) { return kStateNames[static_cast<std::size_t>(state)]; }
std::string_view name_of(WaitKind kind) { return kWaitNames[static_cast<std::size_t>(kind)]; }

bool ThreadReport::stuck_for_good() const { return std::ranges::any_of(verdicts, &Verdict::stuck_for_good); }

const BlockSite* ThreadReport::block_of(std::int32_t lock) const {
  std::size_t index = static_cast<std::size_t>(lock);
  return lock >= 0 && index < lock_blocks.size() && lock_blocks[index] ? &*lock_blocks[index] : nullptr;
}

std::vector<Verdict> find_verdicts(const ThreadLook& look, const VerdictOptions& options) {
  ThreadReport report;
  report.locks = look.locks;
  report.handled_signals = look.handled_signals;
  report.chain = look.chain;
  std::map<std::tuple<StackId, WaitKind, bool>, std::size_t> groups;
  for (const ThreadFacts& facts : look.threads) {
    auto [group, fresh] = groups.try_emplace({facts.stack, facts.wait, facts.timed}, report.groups.size());
    if (fresh) report.groups.emplace_back();
    report.groups[group->second].threads.push_back(report.threads.size());
    report.threads.push_back({facts, waiting_ns(look, facts), group->second});
  }
  return find_verdicts(report, options);
}

Result<ThreadReport> thread_report(RecordingRef from, const VerdictOptions& options, const BlockSites* sites) {
  const Recording& recording = *from;
  Result<const ThreadLook*> found = last_look(recording);
  if (!found) return found.error();
  const ThreadLook& look = **found;
  auto texts = std::make_shared<const FrameTexts>(from);
  ThreadReport report;
  report.info = recording.info;
  report.process = recording.processes[look.process];
  report.time_ns = look.time_ns - std::min(look.time_ns, recording.start_ns());
  report.duration_ns = look.duration_ns;
  report.now_ns = look.time_ns + look.duration_ns;
  for (const Note& note : recording.notes) report.notes.push_back(note.text);
  for (const ThreadFacts& facts : look.threads) report.threads.push_back({facts, waiting_ns(look, facts)});
  report.locks = look.locks;
  report.handled_signals = look.handled_signals;
  report.chain = look.chain;
  for (const ChainWait& wait : look.chain.waits) report.chain_stacks.push_back(stack_of(recording, texts, wait.stack));
  if (sites) find_lock_blocks(recording, *sites, report);
  group_threads(recording, texts, report);
  sort_within_groups(report);
  number_groups(report);
  report.verdicts = find_verdicts(report, options);
  sort_groups(report);
  return report;
}

Result<Profile> thread_profile(const Recording& recording) {
  Result<const ThreadLook*> found = last_look(recording);
  if (!found) return found.error();
  const ThreadLook& look = **found;
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  const ProcessInfo& process = recording.processes[look.process];
  profile.title = fmt::format("threads of {} ({})", process.name, process.pid);
  profile.sample_types = {{"threads", "count"}, {"blocked", "nanoseconds"}};
  std::uint64_t since_start = look.time_ns - std::min(look.time_ns, recording.start_ns());
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns + since_start);
  profile.duration_ns = static_cast<std::int64_t>(look.duration_ns);
  for (const Note& note : recording.notes) profile.comments.push_back(note.text);

  using Key = std::tuple<StackId, StackId, ThreadState, WaitKind, std::string_view>;
  std::map<Key, std::size_t> known;
  for (const ThreadFacts& thread : look.threads) {
    Key key{thread.stack, thread.kernel_stack, thread.state, thread.wait, thread.name};
    auto [sample, fresh] = known.try_emplace(key, profile.samples.size());
    if (fresh) {
      std::vector<std::uint32_t> stack;
      if (thread.kernel_stack != StackId::kUnknown) stack = builder.stack(thread.kernel_stack);
      for (std::uint32_t location : builder.stack(thread.stack)) stack.push_back(location);
      profile.samples.push_back({std::move(stack),
                                 {0, 0},
                                 {{"state", std::string(name_of(thread.state)), 0, ""},
                                  {"wait", std::string(name_of(thread.wait)), 0, ""},
                                  {"thread", thread.name, 0, ""}}});
    }
    std::vector<std::int64_t>& values = profile.samples[sample->second].values;
    values[0] += 1;
    values[1] += static_cast<std::int64_t>(waiting_ns(look, thread).value_or(0));
  }
  return std::move(builder.profile);
}

}  // namespace dwell
