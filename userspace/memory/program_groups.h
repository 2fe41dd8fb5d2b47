// SPDX-License-Identifier: Apache-2.0
// ProgramGroups: which processes of a recording a report adds up: those of one program, or each alone. A group is named by
// the first of its processes.
#pragma once

#include <vector>

#include "userspace/base/result.h"
#include "userspace/recording/model.h"

namespace dwell {

class ProgramGroups {
 public:
  ProgramGroups(const Recording& recording, bool by_program);

  ProcessSlot lead_of(ProcessSlot process) const { return process < lead_.size() ? lead_[process] : process; }
  const std::vector<ProcessSlot>& members_of(ProcessSlot lead) const { return members_[lead]; }

 private:
  std::vector<ProcessSlot> lead_;                  // by process
  std::vector<std::vector<ProcessSlot>> members_;  // by lead, ascending; of others, empty
};

// Of a PID that was given twice, the process that had it last. Exit::kUsage where none had it.
Result<ProcessSlot> recorded_process(std::uint32_t pid, const Recording& recording);

}  // namespace dwell
