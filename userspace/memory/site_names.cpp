// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/site_names.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/values.h"

namespace dwell {

SiteNames::SiteNames(const MemoryReport& report, const std::vector<const SiteReport*>& shown, bool raw)
    : raw_(raw), names_(raw ? nullptr : &wrappers_) {
  if (!raw)
    for (std::size_t i = 0; i < std::min(report.sites.size(), Wrappers::kMostLearnt); ++i) wrappers_.learn(report.sites[i].stack);
  for (const SiteReport* site : shown) names_.add(site->stack);
}

std::string SiteNames::line(const SiteReport& site, std::size_t columns) const {
  std::string more = site.stacks > 1 ? fmt::format(" ({} stacks)", grouped(site.stacks)) : "";
  std::size_t room = columns > more.size() + 1 ? columns - more.size() : columns;
  return names_.line(site.stack, room) + more;
}

StackLook SiteNames::look(const std::vector<ReportFrame>& stack) const {
  if (stack.empty()) return {};
  return raw_ ? StackLook{asking_frame(stack), false} : StackLook{wrappers_.site_frame(stack), true};
}

}  // namespace dwell
