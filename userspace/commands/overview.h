// SPDX-License-Identifier: Apache-2.0
// Overview: what `dwell PID` says of a process: what it is, what is wrong with it, and what was looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/process/children.h"
#include "userspace/process/process.h"
#include "userspace/record/findings.h"

namespace dwell {

struct SubjectFindings {
  std::string subject;  // "threads"
  Findings found;
};

struct Overview {
  ProcessFacts process;
  std::optional<std::uint64_t> running_ns;  // since its start; none: not known
  std::vector<ChildProcess> children;       // that were not looked at
  std::vector<SubjectFindings> subjects;    // those of which the process has anything
  std::uint64_t took_ns = 0;

  std::vector<const Finding*> findings() const;  // of all subjects, the gravest first
  bool proved() const;
};

std::string overview_text(const Overview& overview, const TextStyle& style);
Json overview_json(const Overview& overview);  // docs/overview.md is its contract

}  // namespace dwell
