// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_difference.h"

#include <cmath>
#include <utility>

#include "userspace/memory/balance_text.h"
#include "userspace/memory/json.h"
#include "userspace/memory/page_paths.h"
#include "userspace/memory/text.h"

namespace dwell {
namespace {

// Blocks of sampled recordings are estimates and no whole numbers.
constexpr double kBlockUnits = 1000;

using Figure = double MemoryFigures::*;
constexpr std::pair<const char*, Figure> kFigures[] = {
    {"retained_bytes", &MemoryFigures::retained_bytes}, {"retained", &MemoryFigures::retained_blocks},
    {"alloc_bytes", &MemoryFigures::allocated_bytes},   {"allocs", &MemoryFigures::allocations},
    {"freed_bytes", &MemoryFigures::freed_bytes},       {"frees", &MemoryFigures::frees},
    {"peak_bytes", &MemoryFigures::peak_bytes},         {"peak", &MemoryFigures::peak_blocks},
    {"retained_error", &MemoryFigures::retained_error}};

bool is_of_bytes(std::string_view name) { return name.ends_with("_bytes") || name.ends_with("_error"); }

// Every call site: those that changed in the order of the report, then the others.
template <typename Visit>
void each_site(const MemoryDiff& diff, Visit visit) {
  for (const DiffSite& site : diff.sites) visit(site);
  for (const DiffSite& site : diff.unchanged) visit(site);
}

template <typename Number>
void add_column(const MemoryDiff& diff, const std::string& name, HtmlPage& page, Number number) {
  std::vector<std::int64_t> numbers;
  each_site(diff, [&](const DiffSite& site) { numbers.push_back(static_cast<std::int64_t>(number(site))); });
  page.columns.add(name, numbers);
}

void add_side(const MemoryDiff& diff, const std::string& prefix, MemoryFigures DiffSite::*side,
              HtmlPage& page) {
  for (const auto& [name, figure] : kFigures) {
    const double units = is_of_bytes(name) ? 1 : kBlockUnits;
    add_column(diff, prefix + name, page,
               [&](const DiffSite& site) { return std::llround(site.*side.*figure * units); });
  }
}

// All of the JSON but its call sites, which stand in columns.
Json head_json(MemoryDiff& diff) {
  std::vector<DiffSite> sites;
  sites.swap(diff.sites);
  Json json = Json::parse(memory_diff_json(diff), nullptr, false);
  sites.swap(diff.sites);
  json.erase("sites");
  return json;
}

Json kinds_of(const MemoryDiff& diff) {
  Json kinds = Json::array();
  for (const DiffSite& total : diff.totals) kinds.push_back(name_of(total.kind));
  return kinds;
}

}  // namespace

void add_difference(MemoryDiff& diff, HtmlPage& page, const std::vector<std::string>& sources,
                    const SourceRemark& remark) {
  Json memory = Json::object();
  PagePaths paths;
  Wrappers wrappers = wrappers_of(diff);
  each_site(diff, [&](const DiffSite& site) {
    const std::vector<ReportFrame> stack = site.stack.frames();
    paths.add(paths.path_of(stack), stack.empty() ? 0 : wrappers.site_frame(stack));
  });
  memory["block_units"] = kBlockUnits;
  memory["changed"] = diff.sites.size();
  memory["kinds"] = kinds_of(diff);
  memory["verdicts"] = Json::array();
  for (const std::string& verdict : memory_diff_verdicts(diff)) memory["verdicts"].push_back(verdict);
  if (!sources.empty()) {
    SourceLines lines(sources);
    paths.write_sources(lines, remark, memory, page.columns);
  }
  paths.write(memory, page.columns);
  add_column(diff, "site_kind", page, [](const DiffSite& site) { return site.kind; });
  add_column(diff, "site_in_before", page, [](const DiffSite& site) { return site.in_before; });
  add_column(diff, "site_in_after", page, [](const DiffSite& site) { return site.in_after; });
  add_side(diff, "before_", &DiffSite::before, page);
  add_side(diff, "after_", &DiffSite::after, page);
  page.data["difference"] = head_json(diff);
  page.data["memory"] = std::move(memory);
}

}  // namespace dwell
