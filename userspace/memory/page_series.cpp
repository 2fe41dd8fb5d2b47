// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_series.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "userspace/memory/part.h"
#include "userspace/memory/selection.h"
#include "userspace/memory/series_figures.h"

namespace dwell {
namespace {

// The largest share that a site has of any figure of its process and kind.
double weight_of(const MemoryFigures& site, const MemoryFigures& all) {
  auto share = [](double part, double whole) { return whole > 0 ? part / whole : 0; };
  return std::max({share(site.retained_bytes, all.retained_bytes), share(site.retained_blocks, all.retained_blocks),
                   share(site.allocated_bytes, all.allocated_bytes), share(site.allocations, all.allocations),
                   share(site.peak_bytes, all.peak_bytes), share(site.temporary_bytes, all.temporary_bytes)});
}

std::vector<double> weights_of(const MemoryReport& report) {
  std::vector<double> weights;
  for (const SiteReport& site : report.sites) {
    auto total = std::ranges::find_if(report.totals, [&](const KindReport& kind) {
      return kind.process == site.process && kind.kind == site.kind;
    });
    weights.push_back(total == report.totals.end() ? 1 : weight_of(site.figures, total->figures));
  }
  return weights;
}

}  // namespace

PageSeries::PageSeries(const Recording& recording, const SiteTable& sites, const MemoryReport& report, const PageLimits& limits)
    : recording_(recording) {
  for (const KindReport& kind : report.totals) account_of({StackId::kUnknown, kind.kind, kind.process});  // in their order
  for (const Series& series : memory_of(recording).series)
    account_of_series_.push_back(static_cast<std::uint32_t>(account_of(series)));
  choose_sites(sites, report, limits);
  assign_slots(sites, report);
  for (Account& account : accounts_) account.peaks.assign(ends_.size(), 0);
  now_.resize(slot_account_.size());
  is_touched_.resize(slot_account_.size());
  cells_.resize(slot_account_.size());
  for (std::size_t bucket = 0; bucket < ends_.size(); ++bucket) count_bucket(bucket);
  count_births();
}

std::size_t PageSeries::account_of(const Series& series) {
  for (std::size_t i = 0; i < accounts_.size(); ++i)
    if (accounts_[i].process == series.process && accounts_[i].kind == series.kind) return i;
  accounts_.push_back({series.process, series.kind, -1, 0, {}});
  return accounts_.size() - 1;
}

// Ticks become longer as a recording ages: buckets are even in time as far as ticks allow.
void PageSeries::choose_buckets(std::size_t most) {
  const std::vector<MemoryTick>& ticks = memory_of(recording_).ticks;
  ends_.clear();
  if (ticks.empty()) return;
  double start = static_cast<double>(ticks.front().start_ns), span = static_cast<double>(ticks.back().end_ns) - start;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    double due = span * static_cast<double>(ends_.size() + 1) / static_cast<double>(most);
    bool last = i + 1 == ticks.size();
    if (last || ticks.size() <= most || static_cast<double>(ticks[i].end_ns) - start >= due) ends_.push_back(i + 1);
  }
}

// By site: in how many buckets it did anything.
std::vector<std::uint32_t> PageSeries::cells_of_sites(const SiteTable& sites) const {
  std::vector<std::uint32_t> counts(sites.size()), last_bucket(sites.size());
  std::uint32_t bucket = 1;
  for (std::size_t i = 0; i < memory_of(recording_).ticks.size(); ++i) {
    if (i == ends_[bucket - 1]) ++bucket;
    for (const TickRow& row : memory_of(recording_).ticks[i].rows) {
      std::uint32_t site = sites.site_of(row.series);
      if (last_bucket[site] == bucket) continue;
      last_bucket[site] = bucket;
      ++counts[site];
    }
  }
  return counts;
}

// Longer buckets leave room for more sites: they are doubled, three times at most, until those that did nearly all fit.
void PageSeries::choose_sites(const SiteTable& sites, const MemoryReport& report, const PageLimits& limits) {
  constexpr double kNearlyAll = 0.95;
  std::vector<double> weights = weights_of(report);
  std::vector<std::uint32_t> order(report.sites.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) { return weights[a] > weights[b]; });
  for (int halvings = 0; halvings <= 3; ++halvings) {
    choose_buckets(std::max<std::size_t>(limits.buckets >> halvings, 1));
    std::vector<std::uint32_t> counts = cells_of_sites(sites);
    std::size_t cells = 0;
    slot_sites_.clear();
    for (std::uint32_t index : order) {
      cells += counts[report.sites[index].site];
      if (cells > limits.cells) break;
      slot_sites_.push_back(index);
    }
    if (share_of_chosen(report) >= kNearlyAll) break;
  }
  std::ranges::sort(slot_sites_);
}

// The least share that they have of what any process and kind retained or allocated.
double PageSeries::share_of_chosen(const MemoryReport& report) const {
  double least = 1;
  for (const KindReport& kind : report.totals) {
    double retained = 0, allocated = 0;
    for (std::uint32_t index : slot_sites_) {
      const SiteReport& site = report.sites[index];
      if (site.process != kind.process || site.kind != kind.kind) continue;
      retained += site.figures.retained_bytes;
      allocated += site.figures.allocated_bytes;
    }
    if (kind.figures.retained_bytes > 0) least = std::min(least, retained / kind.figures.retained_bytes);
    if (kind.figures.allocated_bytes > 0) least = std::min(least, allocated / kind.figures.allocated_bytes);
  }
  return least;
}

void PageSeries::assign_slots(const SiteTable& sites, const MemoryReport& report) {
  std::vector<std::int32_t> slot_of_site(sites.size(), -1);
  for (std::uint32_t index : slot_sites_) {
    std::uint32_t site = report.sites[index].site;
    slot_of_site[site] = static_cast<std::int32_t>(slot_account_.size());
    slot_account_.push_back(account_of_series_[sites.series_of(site).front()]);
  }
  assign_others(sites, slot_of_site);
  for (std::size_t index = 0, slot = 0; index < report.sites.size(); ++index) {
    bool has_slot = slot < slot_sites_.size() && slot_sites_[slot] == index;
    if (!has_slot) ++accounts_[account_of_series_[sites.series_of(report.sites[index].site).front()]].other_sites;
    slot += has_slot;
  }
}

void PageSeries::assign_others(const SiteTable& sites, const std::vector<std::int32_t>& slot_of_site) {
  slot_of_series_.resize(account_of_series_.size());
  for (std::size_t site = 0; site < sites.size(); ++site) {
    std::uint32_t number = account_of_series_[sites.series_of(site).front()];
    Account& account = accounts_[number];
    auto slot = static_cast<std::size_t>(slot_of_site[site]);
    if (slot_of_site[site] < 0) {
      if (account.other_slot < 0) {
        account.other_slot = static_cast<std::int64_t>(slot_account_.size());
        slot_account_.push_back(number);
      }
      slot = static_cast<std::size_t>(account.other_slot);
    }
    for (std::uint32_t series : sites.series_of(site)) slot_of_series_[series] = static_cast<std::uint32_t>(slot);
  }
}

PageSeries::Cell& PageSeries::cell(std::uint32_t series) {
  std::uint32_t slot = slot_of_series_[series];
  if (!is_touched_[slot]) touched_.push_back(slot);
  is_touched_[slot] = true;
  return now_[slot];
}

void PageSeries::count_bucket(std::size_t bucket) {
  for (std::size_t i = bucket ? ends_[bucket - 1] : 0; i < ends_[bucket]; ++i)
    count_tick(memory_of(recording_).ticks[i], bucket);
  for (std::uint32_t slot : touched_) {
    if (now_[slot] != Cell()) cells_[slot].emplace_back(static_cast<std::uint32_t>(bucket), now_[slot]);
    now_[slot] = Cell();
    is_touched_[slot] = false;
  }
  touched_.clear();
}

void PageSeries::count_tick(const MemoryTick& tick, std::size_t bucket) {
  auto signed_of = [](std::uint64_t number) { return static_cast<std::int64_t>(number); };
  for (std::size_t i = 0; i < tick.rows.size(); ++i) {
    Cell& cell = this->cell(tick.rows[i].series);
    Sum allocated = allocated_in(tick, i), freed = freed_in(tick, i);
    cell.allocs += signed_of(allocated.block_units);
    cell.alloc_bytes += signed_of(allocated.byte_units);
    cell.frees += signed_of(freed.block_units);
    cell.freed_bytes += signed_of(freed.byte_units);
    cell.peak -= signed_of(allocated.block_units - freed.block_units);  // what was live at the peak stays
    cell.peak_bytes -= signed_of(allocated.byte_units - freed.byte_units);
  }
  int temporary_log2 = std::bit_width(MemoryFilter().temporary_ns) - 1;
  for (const LifetimeRow& row : tick.lifetimes) {
    if (row.log2_ns >= temporary_log2) continue;
    cell(row.series).temporary += signed_of(row.blocks);
    cell(row.series).temporary_bytes += signed_of(row.bytes);
  }
  for (const MovedRow& row : tick.moved) {
    Cell& cell = this->cell(row.series);
    std::int64_t blocks = recording_.sampled() ? row.scaled_blocks : row.blocks;
    std::int64_t bytes = recording_.sampled() ? row.scaled_bytes : row.bytes;
    cell.moved += blocks;
    cell.moved_bytes += bytes;
    cell.peak -= blocks;
    cell.peak_bytes -= bytes;
  }
  for (const PeakRow& row : tick.peaks) keep_peak(row, tick, bucket);
}

// Where this tick has the highest point so far, what was live there is what is live now plus what the rows say.
void PageSeries::keep_peak(const PeakRow& row, const MemoryTick& tick, std::size_t bucket) {
  auto account = std::ranges::find_if(accounts_, [&](const Account& known) {
    return known.process == row.process && known.kind == row.kind;
  });
  if (account == accounts_.end() || row.bytes <= account->peaks[bucket]) return;
  account->peaks[bucket] = row.bytes;
  auto number = static_cast<std::uint32_t>(account - accounts_.begin());
  for (std::uint32_t slot : touched_)
    if (slot_account_[slot] == number) now_[slot].peak = now_[slot].peak_bytes = 0;
  for (const TickRow& changed : tick.rows) {
    if (account_of_series_[changed.series] != number) continue;
    cell(changed.series).peak += changed.peak_blocks;
    cell(changed.series).peak_bytes += changed.peak_bytes;
  }
}

std::size_t PageSeries::bucket_at(std::uint64_t time_ns) const {
  const std::vector<MemoryTick>& ticks = memory_of(recording_).ticks;
  auto at = std::ranges::partition_point(ends_, [&](std::size_t end) { return ticks[end - 1].end_ns < time_ns; });
  return std::min<std::size_t>(static_cast<std::size_t>(at - ends_.begin()), ends_.size() - 1);
}

void PageSeries::count_births() {
  Result<TickRange> whole = tick_range(recording_, {});
  births_known_ = whole && !ends_.empty() && live_set_fits(recording_, *whole);
  if (!births_known_) return;
  for (const LiveBlock& block : memory_of(recording_).live.blocks) {
    auto bucket = static_cast<std::uint32_t>(bucket_at(block.birth_ns));
    auto& cells = cells_[slot_of_series_[block.series]];
    auto at = std::ranges::lower_bound(cells, bucket, {}, [](const auto& known) { return known.first; });
    if (at == cells.end() || at->first != bucket) at = cells.insert(at, {bucket, Cell()});
    Sum sum = sum_of_block(recording_, block);
    at->second.born += static_cast<std::int64_t>(sum.block_units);
    at->second.born_bytes += static_cast<std::int64_t>(sum.byte_units);
  }
}

void PageSeries::write(Json& json, NumberColumns& columns) const {
  const std::vector<MemoryTick>& ticks = memory_of(recording_).ticks;
  auto since_start = [&](std::uint64_t time) { return time > recording_.start_ns() ? time - recording_.start_ns() : 0; };
  Json edges = Json::array();
  if (!ticks.empty()) edges.push_back(since_start(ticks.front().start_ns));
  for (std::size_t end : ends_) edges.push_back(since_start(ticks[end - 1].end_ns));
  json["edges_ns"] = std::move(edges);
  json["births_known"] = births_known_;
  Json accounts = Json::array();
  for (const Account& account : accounts_) {
    accounts.push_back({{"process", account.process},
                        {"kind", name_of(account.kind)},
                        {"other_slot", account.other_sites ? Json(account.other_slot) : Json(nullptr)},
                        {"other_sites", account.other_sites},
                        {"peaks", account.peaks}});
  }
  json["accounts"] = std::move(accounts);

  std::vector<std::uint32_t> steps = slot_sites_;
  std::adjacent_difference(slot_sites_.begin(), slot_sites_.end(), steps.begin());
  columns.add("slot_site", steps);
  std::vector<std::size_t> counts;
  std::vector<std::uint32_t> buckets;
  for (const auto& cells : cells_) {
    counts.push_back(cells.size());
    std::uint32_t before = 0;
    for (const auto& [bucket, cell] : cells) {
      buckets.push_back(bucket - before);
      before = bucket;
    }
  }
  columns.add("cell_count", counts);
  columns.add("cell_bucket", buckets);
  constexpr std::pair<const char*, std::int64_t Cell::*> kFigures[] = {
      {"allocs", &Cell::allocs}, {"alloc_bytes", &Cell::alloc_bytes}, {"frees", &Cell::frees},
      {"freed_bytes", &Cell::freed_bytes}, {"temporary", &Cell::temporary}, {"temporary_bytes", &Cell::temporary_bytes},
      {"moved", &Cell::moved}, {"moved_bytes", &Cell::moved_bytes}, {"peak", &Cell::peak},
      {"peak_bytes", &Cell::peak_bytes}, {"born", &Cell::born}, {"born_bytes", &Cell::born_bytes}};
  for (const auto& [name, figure] : kFigures) {
    std::vector<std::int64_t> numbers;
    for (const auto& cells : cells_)
      for (const auto& [bucket, cell] : cells) numbers.push_back(cell.*figure);
    columns.add(std::string("cell_") + name, numbers);
  }
}

}  // namespace dwell
