// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/diff.h"
#include "userspace/go/part.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace dwell {
namespace {

// Files may have moved between two builds, and lines with them: names are what stays.
std::string names_of(const std::vector<GoCall>& calls) {
  std::string names;
  for (const GoCall& call : calls) names += call.function + "\n";
  return names;
}

std::vector<GoDiffCreator> creators_of(const GoReport& before, const GoReport& after) {
  std::map<std::string, GoDiffCreator> creators;
  for (const GoReport* report : {&before, &after}) {
    for (const GoCreatorReport& from : report->creators) {
      GoDiffCreator& creator = creators[names_of({from.creator})];
      creator.creator = from.creator;
      creator.calls = from.calls;
      (report == &before ? creator.before : creator.after) += from.count.last;
    }
  }
  std::vector<GoDiffCreator> changed;
  for (auto& [names, creator] : creators)
    if (creator.before != creator.after) changed.push_back(std::move(creator));
  std::stable_sort(changed.begin(), changed.end(), [](const GoDiffCreator& a, const GoDiffCreator& b) {
    return static_cast<std::int64_t>(a.after - a.before) > static_cast<std::int64_t>(b.after - b.before);
  });
  return changed;
}

void add(GoEstimate& to, const GoEstimate& estimate) {
  to.bytes += estimate.bytes;
  to.objects += estimate.objects;
  to.error = std::hypot(to.error, estimate.error);
}

std::vector<GoDiffSite> sites_of(const GoReport& before, const GoReport& after) {
  std::map<std::string, GoDiffSite> sites;
  for (const GoReport* report : {&before, &after}) {
    if (!report->heap) continue;
    for (const GoHeapSiteReport& from : report->heap->sites) {
      GoDiffSite& site = sites[names_of(from.calls)];
      site.calls = from.calls;
      add(report == &before ? site.before : site.after, from.in_use);
    }
  }
  std::vector<GoDiffSite> changed;
  for (auto& [names, site] : sites)
    if (site.before.bytes != site.after.bytes) changed.push_back(std::move(site));
  std::stable_sort(changed.begin(), changed.end(), [](const GoDiffSite& a, const GoDiffSite& b) {
    return a.after.bytes - a.before.bytes > b.after.bytes - b.before.bytes;
  });
  return changed;
}

}  // namespace

std::optional<GoDiff> go_diff(const Recording& before, const Recording& after) {
  if (go_of(before).looks.empty() || go_of(after).looks.empty()) return std::nullopt;
  GoReport first = std::move(go_reports(before).front()), second = std::move(go_reports(after).front());
  GoDiff diff;
  diff.before = first.goroutines.last;
  diff.after = second.goroutines.last;
  diff.creators = creators_of(first, second);
  if (first.heap) diff.heap_before = first.heap->in_use;
  if (second.heap) diff.heap_after = second.heap->in_use;
  if (first.heap && second.heap) diff.sites = sites_of(first, second);
  return diff;
}

}  // namespace dwell
