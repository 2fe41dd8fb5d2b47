// SPDX-License-Identifier: Apache-2.0
// PageSeries: what each call site did in each stretch of a recording, exactly.
//
// A stretch, or bucket, is one tick or several: fewer and longer ones where there are many sites. Sites that did most have
// rows of their own ("slots"); the others of each process and kind are added up as one, so that the sums over all slots
// are those of the report for any range of buckets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ui/number_columns.h"
#include "userspace/memory/report.h"
#include "userspace/memory/sites.h"

namespace dwell {

struct PageLimits {
  std::size_t buckets = 240;
  std::size_t cells = 120'000;  // of sites x buckets in which they did anything; about 12 bytes each in the file
};

class PageSeries {
 public:
  PageSeries(const Recording& recording, const SiteTable& sites, const MemoryReport& report, const PageLimits& limits = {});

  void write(Json& json, NumberColumns& columns) const;

 private:
  // Of one slot in one bucket. Blocks of sampled recordings are in units of 1/kScaledBlock.
  struct Cell {
    std::int64_t allocs = 0, alloc_bytes = 0, frees = 0, freed_bytes = 0;
    std::int64_t temporary = 0, temporary_bytes = 0;
    std::int64_t moved = 0, moved_bytes = 0;  // inherited by fork, less what exec and exit dropped
    std::int64_t peak = 0, peak_bytes = 0;    // live when its process and kind peaked in the bucket, less live at its end
    std::int64_t born = 0, born_bytes = 0;    // of the allocated, live at the end of the recording
    bool operator==(const Cell&) const = default;
  };
  struct Account {
    ProcessSlot process;
    MemoryKind kind;
    std::int64_t other_slot = -1;    // -1: every site has its own
    std::size_t other_sites = 0;     // that did anything
    std::vector<std::uint64_t> peaks;             // bytes, by bucket
  };

  void choose_buckets(std::size_t most);
  std::vector<std::uint32_t> cells_of_sites(const SiteTable& sites) const;
  void choose_sites(const SiteTable& sites, const MemoryReport& report, const PageLimits& limits);
  double share_of_chosen(const MemoryReport& report) const;
  void assign_slots(const SiteTable& sites, const MemoryReport& report);
  void assign_others(const SiteTable& sites, const std::vector<std::int32_t>& slot_of_site);
  std::size_t account_of(const Series& series);
  std::size_t bucket_at(std::uint64_t time_ns) const;
  void count_bucket(std::size_t bucket);
  void count_tick(const MemoryTick& tick, std::size_t bucket);
  void keep_peak(const PeakRow& row, const MemoryTick& tick, std::size_t bucket);
  void count_births();
  Cell& cell(std::uint32_t series);

  const Recording& recording_;
  std::vector<std::size_t> ends_;          // by bucket: one past its last tick
  std::vector<Account> accounts_;
  std::vector<std::uint32_t> account_of_series_, slot_of_series_, slot_account_;
  std::vector<std::uint32_t> slot_sites_;  // of the slots of single sites: index in the report
  std::vector<Cell> now_;                  // of the bucket that is counted, by slot
  std::vector<std::uint32_t> touched_;     // slots that it has
  std::vector<bool> is_touched_;
  std::vector<std::vector<std::pair<std::uint32_t, Cell>>> cells_;  // by slot: bucket and what was counted
  bool births_known_ = false;
};

}  // namespace dwell
