// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "userspace/base/clock.h"
#include "userspace/go/goroutines/state.h"
#include "userspace/process/process.h"

namespace dwell {
namespace {

// Whether it will ever go on, by the proof.
enum class Prospect : std::uint8_t { kOpen, kAbandoned, kStuck };

Prospect prospect_of(const std::optional<StuckFinding>& stuck, const Goroutine& goroutine) {
  if (!stuck || !waits(goroutine)) return Prospect::kOpen;
  if (stuck->goroutines.contains(goroutine.id)) return Prospect::kStuck;
  return stuck->abandoned.contains(goroutine.id) ? Prospect::kAbandoned : Prospect::kOpen;
}

struct Group {
  Goroutine first;  // its stack stands for all
  Prospect prospect = Prospect::kOpen;
  std::uint64_t count = 0, without_time = 0;
  std::uint64_t oldest = ~std::uint64_t{0}, youngest = 0;
  std::vector<Goroutine> examples;  // without stacks
  std::map<std::uint64_t, std::uint64_t> labels;  // how many, by where their labels are
  std::uint64_t labels_not_read = 0;
};

bool same_group(const Goroutine& a, const Goroutine& b) {
  return a.status == b.status && a.wait_reason == b.wait_reason && a.stack_state == b.stack_state &&
         a.creator_pc == b.creator_pc && a.start_pc == b.start_pc && a.pcs == b.pcs;
}

std::uint64_t key_of(const Goroutine& g) {
  std::uint64_t hash = static_cast<std::uint64_t>(g.status) << 16 | std::uint64_t{g.wait_reason} << 8 |
                       static_cast<std::uint64_t>(g.stack_state);
  auto mix = [&](std::uint64_t value) {
    constexpr std::uint64_t kPrime = 0x9e3779b97f4a7c15;
    hash = (hash ^ value) * kPrime;
    hash ^= hash >> 32;
  };
  mix(g.creator_pc);
  mix(g.start_pc);
  for (std::uint64_t pc : g.pcs) mix(pc);
  return hash;
}

class Groups {
 public:
  explicit Groups(std::size_t examples) : most_examples_(examples) {}

  void add(const Goroutine& seen, Prospect prospect) {
    Goroutine goroutine = frames_ < kMostFrames ? seen : without_stack(seen);
    std::uint64_t key = key_of(goroutine) + static_cast<std::uint64_t>(prospect);
    auto [found, is_new] = by_key_.try_emplace(key, groups_.size());
    // Two different stacks of one key: the next free key is tried.
    while (!is_new &&
           !(groups_[found->second].prospect == prospect && same_group(groups_[found->second].first, goroutine)))
      std::tie(found, is_new) = by_key_.try_emplace(++key, groups_.size());
    if (is_new) frames_ += goroutine.pcs.size();
    if (is_new) groups_.push_back({goroutine, prospect, 0, 0, ~std::uint64_t{0}, 0, {}, {}, 0});
    Group& group = groups_[found->second];
    ++group.count;
    if (goroutine.wait_since_ns) {
      group.oldest = std::min(group.oldest, goroutine.wait_since_ns);
      group.youngest = std::max(group.youngest, goroutine.wait_since_ns);
    } else {
      ++group.without_time;
    }
    if (goroutine.labels) add_labels(group, goroutine.labels);
    if (group.examples.size() < most_examples_) {
      group.examples.push_back(goroutine);
      group.examples.back().pcs = {};
    }
  }
  std::vector<Group>& all() { return groups_; }

 private:
  // Recursion to ever other depths would make every stack a new one.
  static constexpr std::size_t kMostFrames = 16 << 20;

  // Labels that are made anew for each request would be a read for each goroutine.
  static constexpr std::size_t kMostLabels = 1000;
  static void add_labels(Group& group, std::uint64_t labels) {
    if (group.labels.size() < kMostLabels || group.labels.contains(labels)) {
      ++group.labels[labels];
    } else {
      ++group.labels_not_read;
    }
  }

  static Goroutine without_stack(const Goroutine& goroutine) {
    Goroutine result = goroutine;
    result.pcs = {};
    result.stack_state = GoStackState::kTooMany;
    return result;
  }

  std::size_t most_examples_;
  std::size_t frames_ = 0;  // of all groups
  absl::flat_hash_map<std::uint64_t, std::size_t> by_key_;
  std::vector<Group> groups_;
};

// As the runtime's own tracebacks tell them apart.
bool belongs_to_runtime(const GoRuntime& runtime, const Goroutine& goroutine,
                        const std::vector<GoCall>& calls) {
  std::string start = runtime.frames().function_at(goroutine.start_pc);
  if (start.rfind("runtime.", 0) != 0) return false;
  if (start == "runtime.main" || start == "runtime.corostart" || start == "runtime.handleAsyncEvent")
    return false;
  // Finalizers and cleanups are the program's code.
  bool runs_own =
      start == "runtime.runfinq" || start == "runtime.runFinalizers" || start == "runtime.runCleanups";
  auto is_users = [](const GoCall& call) { return call.function.rfind("runtime.", 0) != 0; };
  return !(runs_own && std::any_of(calls.begin(), calls.end(), is_users));
}

class ReportBuilder {
 public:
  ReportBuilder(const GoRuntime& runtime, std::uint64_t now)
      : runtime_(runtime), waits_(runtime), now_(now) {}

  void expect(const Group& group) {
    const std::string& reason = runtime_.wait_reason(group.first.wait_reason);
    if (!waits(group.first) || (reason.rfind("sync.", 0) != 0 && reason.rfind("semacquire", 0) != 0)) return;
    for (const Goroutine& goroutine : group.examples) waits_.expect(goroutine.address);
  }

  GoroutineGroup group(const Group& from) {
    GoroutineGroup group;
    group.state = goroutine_state(runtime_, from.first);
    group.stack_state = from.first.stack_state;
    group.waits = waits(from.first);
    group.stuck = from.prospect == Prospect::kStuck;
    group.abandoned = from.prospect == Prospect::kAbandoned;
    group.count = from.count;
    group.without_time = from.without_time;
    if (from.youngest) {
      group.longest_wait_ns = since(from.oldest);
      group.shortest_wait_ns = since(from.youngest);
    }
    group.pcs = from.first.pcs;
    group.calls = runtime_.frames().calls(from.first.pcs);
    if (from.first.id != 1 && from.first.creator_pc) {
      group.creator_pc = from.first.creator_pc;
      group.creator = runtime_.frames().call_before(from.first.creator_pc);
    }
    group.of_runtime = belongs_to_runtime(runtime_, from.first, group.calls);
    for (const Goroutine& goroutine : from.examples)
      group.examples.push_back(example(goroutine, group.calls));
    group.labels = labels_of(from);
    return group;
  }

 private:
  std::vector<std::pair<GoLabels, std::uint64_t>> labels_of(const Group& from) const {
    std::map<GoLabels, std::uint64_t> merged;
    for (const auto& [address, count] : from.labels)
      if (GoLabels labels = read_labels(runtime_, address); !labels.empty()) merged[std::move(labels)] += count;
    if (from.labels_not_read) merged[{{"labels", "too many to read"}}] += from.labels_not_read;
    return {merged.begin(), merged.end()};
  }

  std::uint64_t since(std::uint64_t time) const { return now_ > time ? now_ - time : 0; }

  GoroutineExample example(const Goroutine& goroutine, const std::vector<GoCall>& calls) {
    GoroutineExample example;
    example.id = goroutine.id;
    example.parent = goroutine.parent;
    if (goroutine.thread && !waits(goroutine) && goroutine.status != GoStatus::kRunnable)
      example.thread =
          runtime_.memory().load<std::uint64_t>(goroutine.thread + runtime_.layout().m_thread).value_or(0);
    if (goroutine.wait_since_ns) example.waiting_for_ns = since(goroutine.wait_since_ns);
    example.wait = waits_.describe(goroutine, calls);
    example.labels = read_labels(runtime_, goroutine.labels);
    return example;
  }

  const GoRuntime& runtime_;
  GoWaits waits_;
  std::uint64_t now_;
};

}  // namespace

bool holds_open_response(const GoroutineGroup& group) {
  auto is_loop = [](const GoCall& call) { return call.function == "net/http.(*persistConn).readLoop"; };
  // Between two requests it waits for the descriptor.
  return group.state.rfind("select", 0) == 0 && std::any_of(group.calls.begin(), group.calls.end(), is_loop);
}

void add_heap(const GoRuntime& runtime, GoroutineReport& report) {
  Result<HeapProfile> profile = read_heap_profile(runtime);
  if (profile) {
    report.heap = std::move(*profile);
  } else {
    report.no_heap = profile.error().what;
  }
  report.collector = read_collector(runtime);
  report.contention = read_contention_profiles(runtime);
}

void add_held(const GoRuntime& runtime, GoroutineReport& report) {
  if (!report.stuck) return;
  if (Result<TimerReport> timers = look_at_timers(runtime, &report.stuck->useless_timers)) {
    report.timers = std::move(*timers);
  } else {
    report.not_seen.push_back(timers.error().what);
  }
  if (Result<ContextReport> contexts = report_contexts(runtime, report.stuck->contexts, true)) {
    report.contexts = std::move(*contexts);
  } else {
    report.not_seen.push_back(contexts.error().what);
  }
}

Result<GoroutineReport> look_at_goroutines(const GoRuntime& runtime, std::optional<StuckFinding> stuck,
                                           std::size_t examples) {
  GoroutineReport report;
  report.pid = runtime.memory().pid();
  if (Result<ProcessFacts> facts = read_process(report.pid)) {
    report.program = facts->name;
    report.command_line = facts->command_line;
  }
  report.go_version = runtime.module().version;
  report.module = runtime.module().path;
  report.note = runtime.note();
  report.time_unix_ns = clock_ns(CLOCK_REALTIME);
  report.time_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
  Groups groups(examples);
  Result<LookFigures> figures = read_goroutines(runtime, [&](const Goroutine& g) {
    groups.add(g, prospect_of(stuck, g));
  });
  if (!figures) return figures.error();
  report.figures = *figures;
  constexpr std::uint64_t kFewestToJudge = 10;
  if (figures->alive >= kFewestToJudge && figures->broken * 2 > figures->alive)
    return Error{fmt::format("look at the goroutines of PID {}: the stacks of {} of {} make no sense to the "
                             "program's own tables",
                             report.pid, figures->broken, figures->alive),
                 "", Exit::kUnsupported};
  ReportBuilder builder(runtime, report.time_monotonic_ns);
  for (const Group& group : groups.all()) builder.expect(group);
  for (const Group& group : groups.all()) report.groups.push_back(builder.group(group));
  std::stable_sort(
      report.groups.begin(), report.groups.end(), [](const GoroutineGroup& a, const GoroutineGroup& b) {
        return std::tuple(a.of_runtime, b.stuck, b.abandoned, b.count) <
               std::tuple(b.of_runtime, a.stuck, a.abandoned, a.count);
      });
  report.stuck = std::move(stuck);
  report.look_ns = clock_ns(CLOCK_MONOTONIC) - report.time_monotonic_ns;
  return report;
}

}  // namespace dwell
