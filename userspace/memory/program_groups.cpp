// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/program_groups.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <string>

namespace dwell {

ProgramGroups::ProgramGroups(const Recording& recording, bool by_program) : members_(recording.processes.size()) {
  std::map<std::string, ProcessSlot> first;
  for (std::size_t i = 0; i < recording.processes.size(); ++i) {
    auto slot = static_cast<ProcessSlot>(i);
    const std::string& program = recording.processes[i].program;
    lead_.push_back(by_program && !program.empty() ? first.try_emplace(program, slot).first->second : slot);
    members_[lead_.back()].push_back(slot);
  }
}

Result<ProcessSlot> recorded_process(std::uint32_t pid, const Recording& recording) {
  constexpr std::size_t kMostListed = 10;
  for (std::size_t i = recording.processes.size(); i > 0; --i)
    if (recording.processes[i - 1].pid == pid) return static_cast<ProcessSlot>(i - 1);
  std::string list;
  for (std::size_t i = 0; i < std::min(recording.processes.size(), kMostListed); ++i)
    list += fmt::format("{}{}", i ? ", " : "", recording.processes[i].pid);
  if (recording.processes.size() > kMostListed) list += fmt::format(" and {} more", recording.processes.size() - kMostListed);
  return Error{fmt::format("the recording has no process {}", pid), "it has " + list, Exit::kUsage};
}

}  // namespace dwell
