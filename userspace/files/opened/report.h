// SPDX-License-Identifier: Apache-2.0
// Descriptors by the call site that opened them, as reports show them: stacks that read the same are one site.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/files/part.h"
#include "userspace/recording/model.h"
#include "userspace/views/filter.h"
#include "userspace/views/leaks.h"
#include "userspace/views/profile.h"
#include "userspace/views/report_stack.h"

namespace dwell::files {

struct DescriptorRow {
  ProcessSlot process = 0;
  FileKind kind = FileKind::kOther;
  Opening opening = Opening::kOpened;
  ReportStack stack;
  std::string incomplete;  // why the stack could not be followed to its root; "" if it could
  std::uint64_t opened = 0, closed = 0;
  std::optional<double> growth_per_minute;      // of those open; none where the recording is too short to say
  std::optional<std::uint64_t> oldest_age_ns;   // of those open whose opening is known
  Lifetimes lifetimes;                          // of those closed
  std::vector<std::uint32_t> descriptors;       // that are open, in order
  std::uint64_t left_by_peer = 0;               // of them: TCP connections that only the other side has closed
  std::optional<SiteLeak> leak;

  std::uint64_t open() const { return opened > closed ? opened - closed : 0; }
};

struct DescriptorReport {
  std::vector<DescriptorRow> rows;  // the most open first
  std::uint64_t opened = 0, closed = 0, open = 0;  // of call sites in the recording: not what was open before
  std::uint64_t before = 0, before_open = 0;       // open when the recording began, or inherited; and still open
  std::vector<DescriptorCheck> checks;
};

bool follows_descriptors(const Recording& recording);
DescriptorReport descriptor_report(RecordingRef recording);
// Sample types: open, opened, closed. Labels: kind, opening.
Result<Profile> descriptor_profile(const Recording& recording, const ViewFilter& filter);

bool has_call_site(Opening opening);        // false: it is not known where those were opened

}  // namespace dwell::files
