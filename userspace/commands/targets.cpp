// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/targets.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "userspace/process/control_group.h"
#include "userspace/process/find_process.h"

namespace dwell {
namespace {

// All that belongs to what was named, at this moment; never dwell itself, nor what works for it.
std::vector<pid_t> members_of(const TargetChoice& choice, const std::vector<pid_t>& named, const std::vector<ControlGroup>& groups) {
  std::vector<NamedProcess> running = running_processes();
  pid_t own = choice.own ? choice.own : ::getpid();
  std::vector<pid_t> pids = named;
  for (const std::string& name : choice.names)
    for (pid_t pid : all_called(name, running)) pids.push_back(pid);
  for (const ControlGroup& group : groups)
    for (pid_t pid : processes_in(group)) pids.push_back(pid);
  if (choice.children) pids = tree_of(pids, running, own);
  std::vector<pid_t> ours = tree_of({own}, running, 0);
  std::vector<pid_t> members;
  for (pid_t pid : pids)
    if (!std::ranges::count(ours, pid) && !std::ranges::count(members, pid)) members.push_back(pid);
  return members;
}

std::string words_for(const TargetChoice& choice, const std::vector<pid_t>& named, const std::vector<ControlGroup>& groups) {
  std::string words;
  auto add = [&](const std::string& part) { words += (words.empty() ? "" : ", ") + part; };
  for (const ControlGroup& group : groups) add("control group " + group.path);
  for (const std::string& name : choice.names) add("'" + name + "'");
  for (pid_t pid : named) add(fmt::format("{}{}", choice.children ? "the tree of " : "", pid));
  return words;
}

}  // namespace

Result<void> choose_targets(const TargetChoice& choice, RecordOptions& options) {
  for (const std::string& process : choice.processes) {
    Result<pid_t> pid = find_process(process);
    if (!pid) return pid.error();
    if (!std::ranges::count(options.pids, *pid)) options.pids.push_back(*pid);
  }
  std::vector<ControlGroup> groups;
  for (const std::string& name : choice.groups) {
    Result<ControlGroup> group = find_control_group(name);
    if (!group) return group.error();
    groups.push_back(*group);
  }
  if (!choice.children && choice.names.empty() && groups.empty()) return {};
  std::vector<pid_t> named = options.pids;
  options.group = TargetGroup{words_for(choice, named, groups), [choice, named, groups] { return members_of(choice, named, groups); },
                              !choice.names.empty() || !groups.empty()};
  if (!options.group->members().empty()) return {};
  return Error{fmt::format("record {}: no process is in it", options.group->name), "", Exit::kNoTarget};
}

}  // namespace dwell
