// SPDX-License-Identifier: Apache-2.0
// The processes that a recorder begins with, and those that join them later otherwise than by fork.
#include <fmt/core.h>

#include <algorithm>

#include "userspace/process/children.h"
#include "userspace/record/recorder.h"
#include "userspace/record/recorder_process.h"

namespace dwell {

Result<void> Recorder::attach_one(const ProcessFacts& facts) {
  std::size_t before = processes_.size();
  Result<Process*> process = add_process(facts, -1);
  Result<void> attached = process ? sync(**process) : process.error();
  if (!attached) {
    if (processes_.size() > before) forget_last();
    return attached;
  }
  writer_.set_process((*process)->slot, (*process)->info);
  return {};
}

// What one cannot have must not keep the others from being recorded.
void Recorder::attach_some(const std::vector<ProcessFacts>& all, std::optional<Error>& first_error) {
  for (const ProcessFacts& facts : all) {
    if (refused_.contains(facts.pid) || running(facts.pid)) continue;
    Result<void> attached = attach_one(facts);
    if (attached) continue;
    if (!first_error) first_error = attached.error();
    refused_.insert(facts.pid);
    if (is_missed(options_, facts.pid, attached.error())) miss(facts.pid, attached.error().what);
  }
}

// Of several, one of which nothing but its RSS can be followed is told of; where that is all of them, it is an error.
Result<void> Recorder::require_probes_of(const std::vector<ProcessFacts>& all) {
  std::vector<std::pair<pid_t, Error>> without;
  std::size_t with = 0;
  for (const ProcessFacts& facts : all) {
    if (!running(facts.pid)) continue;
    Result<void> something = require_probes(facts);
    if (something)
      ++with;
    else
      without.emplace_back(facts.pid, something.error());
  }
  if (with == 0 && !without.empty()) return without[0].second;
  for (const auto& [pid, error] : without) miss(pid, error.what);
  return {};
}

// Who was forked by a member before that was followed is found by asking again.
Result<void> Recorder::attach(const Targets& targets) {
  tell_attaching();
  std::optional<Error> first_error;
  attach_some(targets.found, first_error);
  constexpr int kMostRounds = 5;
  for (int round = 0; options_.group && round < kMostRounds; ++round) {
    std::size_t before = processes_.size();
    if (Result<Targets> again = read_targets(options_)) attach_some(again->found, first_error);
    if (processes_.size() == before) break;
  }
  if (Result<void> probed = require_probes_of(targets.found); !probed) return probed;
  if (std::ranges::all_of(processes_, [](const auto& one) { return one->ended; }))
    return first_error ? *first_error : Error{"nothing to record", "", Exit::kNoTarget};
  for (const MissedTarget& one : targets.missed) miss(one.pid, one.why);
  if (!options_.group)
    for (const ProcessFacts& facts : targets.found) note_children(facts);
  return begin();
}

// A process that comes into a control group otherwise than by fork.
void Recorder::take_newcomers() {
  constexpr std::size_t kFew = 4;
  std::optional<Error> first_error;
  std::size_t before = processes_.size();
  if (Result<Targets> now = read_targets(options_)) attach_some(now->found, first_error);
  for (std::size_t i = before; i < processes_.size(); ++i)
    if (++newcomers_ <= kFew) note(fmt::format("process {} joined: what it did before is not recorded", processes_[i]->info.pid));
}

Recorder::Process* Recorder::running(pid_t pid) {
  auto found = std::ranges::find_if(processes_, [&](const auto& one) { return !one->ended && static_cast<pid_t>(one->info.pid) == pid; });
  return found == processes_.end() ? nullptr : found->get();
}

void Recorder::miss(pid_t pid, const std::string& why) { note_unseen({0, "processes", fmt::format("process {}", pid), why}); }

// Those that are recorded as well are not worth a word.
void Recorder::note_children(const ProcessFacts& facts) {
  std::vector<ChildProcess> children = children_of(facts.pid);
  std::erase_if(children, [this](const ChildProcess& child) { return running(child.pid) != nullptr; });
  std::string text = children_note(children, "recorded", "dwell record");
  if (text.empty()) return;
  note(fmt::format("{} ({}): {}; all of them: dwell record --children {}{}", facts.name, facts.pid, text, facts.pid,
                   options_.follow_forks ? "; --follow-forks follows those that it starts from now on" : ""));
}

std::string Recorder::first_process() const { return fmt::format("{} ({})", processes_.at(0)->info.name, processes_.at(0)->info.pid); }

}  // namespace dwell
