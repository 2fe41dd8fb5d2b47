// SPDX-License-Identifier: Apache-2.0
// SiteTable: series that read the same are one call site.
//
// It keeps numbers, not texts: a recording may have a million series, each with a stack of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "userspace/recording/model.h"
#include "userspace/views/frames.h"
#include "userspace/memory/program_groups.h"
#include "userspace/memory/report.h"

namespace dwell {

class SiteTable {
 public:
  // `programs`: whose series are added up; null: each process is told alone.
  SiteTable(RecordingRef recording, std::shared_ptr<const FrameTexts> texts, GroupBy group, const ProgramGroups* programs = nullptr);

  std::size_t size() const { return site_begins_.size() - 1; }
  // All of one process, or program, and kind; at least one.
  std::span<const std::uint32_t> series_of(std::size_t site) const {
    return std::span(series_by_site_).subspan(site_begins_[site], site_begins_[site + 1] - site_begins_[site]);
  }
  std::uint32_t site_of(std::size_t series) const { return site_of_[series]; }
  ReportStack stack(std::size_t site) const;
  std::string incomplete(std::size_t site) const;
  bool folded(std::size_t site) const;  // turns of a recursion are left out

 private:
  void group_by_stack();
  void group_by_caller();
  ProcessSlot lead_of(ProcessSlot process) const { return programs_ ? programs_->lead_of(process) : process; }
  void sort_series(std::size_t sites);
  const CallStack& stack_of(std::uint32_t series) const;

  RecordingRef recording_;
  std::shared_ptr<const FrameTexts> texts_;
  GroupBy group_;
  const ProgramGroups* programs_;
  std::vector<std::uint32_t> site_of_;        // by series
  std::vector<std::uint32_t> series_by_site_; // ascending within a site
  std::vector<std::uint32_t> site_begins_;    // into series_by_site_; one more than there are sites
  std::vector<ReportStack> group_stacks_;     // by site, if grouped by function or module
};

}  // namespace dwell
