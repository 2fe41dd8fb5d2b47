// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/report.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "userspace/go/goroutines/places.h"

namespace dwell {
namespace {

struct Key {
  bool lost;
  GoContextKind kind;
  std::string parents;
  bool has_parent, has_deadline, waited_for;
  GoroutinePlace place;
  auto operator<=>(const Key&) const = default;
};

struct Group {
  std::uint64_t count = 0, children = 0, soonest_ns = ~std::uint64_t{0}, latest_ns = 0;
};

GoContextGroup describe(const GoRuntime& runtime, const Key& key, const Group& group, bool proved) {
  GoContextGroup result;
  result.kind = key.kind;
  result.parents = key.parents;
  result.has_parent = key.has_parent;
  result.count = group.count;
  result.children = group.children;
  if (key.has_deadline) result.soonest_ns = group.soonest_ns;
  if (key.has_deadline) result.latest_ns = group.latest_ns;
  result.waited_for = key.waited_for;
  if (!key.place.pcs.empty()) result.calls = runtime.frames().calls(key.place.pcs);
  if (key.place.creator_pc) result.creator = runtime.frames().call_before(key.place.creator_pc);
  if (proved) result.lost = key.lost ? group.count : 0;
  return result;
}

}  // namespace

Result<ContextReport> report_contexts(const GoRuntime& runtime, const std::vector<GoContext>& contexts,
                                      bool proved) {
  GoroutinePlaces places;
  for (const GoContext& context : contexts) {
    if (context.waiter) places.want(context.waiter);
  }
  if (Result<void> found = places.find(runtime); !found) return found.error();
  std::map<Key, Group> groups;
  ContextReport report;
  for (const GoContext& context : contexts) {
    bool lost = proved && context.lost;
    Group& group = groups[{lost, context.kind, context.parents, context.has_parent, context.deadline_ns != 0,
                           context.waiter != 0, places.of(context.waiter)}];
    ++group.count;
    group.children += context.children;
    group.soonest_ns = std::min(group.soonest_ns, context.deadline_ns);
    group.latest_ns = std::max(group.latest_ns, context.deadline_ns);
    ++report.alive;
    report.lost += lost ? 1 : 0;
  }
  for (const auto& [key, group] : groups) report.groups.push_back(describe(runtime, key, group, proved));
  std::stable_sort(
      report.groups.begin(), report.groups.end(), [](const GoContextGroup& a, const GoContextGroup& b) {
        return std::tuple(a.lost.value_or(0) > 0, a.count) > std::tuple(b.lost.value_or(0) > 0, b.count);
      });
  return report;
}

}  // namespace dwell
