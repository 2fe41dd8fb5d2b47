// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/sites.h"

#include <absl/container/flat_hash_map.h>
#include <absl/hash/hash.h>

#include <algorithm>
#include <tuple>

#include "bpf/events.h"
#include "userspace/memory/asking_frames.h"
#include "userspace/memory/part.h"

namespace dwell {

namespace {

ReportFrame unknown_frame() {
  ReportFrame frame;
  frame.function = "[unknown]";
  return frame;
}

// Series in a hash table, compared by process, kind, and how their stacks read.
struct SameStack {
  const std::vector<CallStack>& stacks;
  const std::vector<Series>& series;
  const FrameTexts& texts;
  const ProgramGroups* programs;

  ProcessSlot owner_of(const Series& one) const { return programs ? programs->lead_of(one.process) : one.process; }
  const CallStack& stack_of(std::uint32_t index) const { return stacks[static_cast<std::size_t>(series[index].stack)]; }
  std::size_t operator()(std::uint32_t index) const {
    const CallStack& stack = stack_of(index);
    std::size_t hash = absl::HashOf(owner_of(series[index]), series[index].kind, stack.end);
    for (std::uint32_t location : stack.locations) hash = absl::HashOf(hash, texts.reading(location));
    return hash;
  }
  bool operator()(std::uint32_t a, std::uint32_t b) const {
    const Series &x = series[a], &y = series[b];
    if (owner_of(x) != owner_of(y) || x.kind != y.kind || stack_of(a).end != stack_of(b).end) return false;
    auto reading = [this](std::uint32_t location) { return texts.reading(location); };
    return std::ranges::equal(stack_of(a).locations, stack_of(b).locations, {}, reading, reading);
  }
};

// The one frame by which a group is called.
ReportFrame group_frame(const ReportFrame& caller, GroupBy group) {
  ReportFrame result;
  result.module = caller.module;
  const std::string module = caller.module.empty() ? "[unknown]" : std::string(base_name(caller.module));
  if (group == GroupBy::kFunction) {
    result.function = caller.function;
    result.file = caller.file;
    result.named = caller.named;
  } else if (group == GroupBy::kFile) {
    result.file = caller.file;
    result.function = caller.file.empty() ? "[no source file] " + module : caller.file;
  } else {
    result.function = module;
  }
  return result;
}

// The group of each stack: that of its call site.
class CallerGroups {
 public:
  CallerGroups(const Recording& recording, const FrameTexts& texts, GroupBy group)
      : group_(group), asking_(texts) {
    for (std::size_t i = 0; i < std::min(recording.stacks.size(), Wrappers::kMostLearnt); ++i)
      asking_.learn(recording.stacks[i]);
  }

  std::uint32_t of(const CallStack& stack) {
    return number(stack.locations.empty() ? unknown_frame() : asking_.site(stack));
  }
  const std::vector<ReportFrame>& frames() const { return frames_; }

 private:
  std::uint32_t number(const ReportFrame& caller) {
    ReportFrame frame = group_frame(caller, group_);
    auto [it, added] = numbers_.try_emplace(std::tuple(frame.function, frame.file, frame.module),
                                            static_cast<std::uint32_t>(frames_.size()));
    if (added) frames_.push_back(std::move(frame));
    return it->second;
  }

  GroupBy group_;
  AskingFrames asking_;
  absl::flat_hash_map<std::tuple<std::string, std::string, std::string>, std::uint32_t> numbers_;
  std::vector<ReportFrame> frames_;
};

}  // namespace

SiteTable::SiteTable(RecordingRef recording, std::shared_ptr<const FrameTexts> texts, GroupBy group, const ProgramGroups* programs)
    : recording_(std::move(recording)), texts_(std::move(texts)), group_(group), programs_(programs) {
  site_of_.reserve(memory_of(*recording_).series.size());
  group_ == GroupBy::kStack ? group_by_stack() : group_by_caller();
}

void SiteTable::group_by_stack() {
  const std::vector<Series>& all = memory_of(*recording_).series;
  SameStack same{recording_->stacks, all, *texts_, programs_};
  absl::flat_hash_map<std::uint32_t, std::uint32_t, SameStack, SameStack> sites(all.size(), same, same);
  for (std::uint32_t i = 0; i < all.size(); ++i)
    site_of_.push_back(sites.try_emplace(i, static_cast<std::uint32_t>(sites.size())).first->second);
  sort_series(sites.size());
}

void SiteTable::group_by_caller() {
  CallerGroups groups(*recording_, *texts_, group_);
  absl::flat_hash_map<std::tuple<ProcessSlot, MemoryKind, std::uint32_t>, std::uint32_t> sites;
  const std::vector<Series>& all = memory_of(*recording_).series;
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const Series& series = all[i];
    std::uint32_t group = groups.of(stack_of(i));
    auto [it, added] = sites.try_emplace(std::tuple(lead_of(series.process), series.kind, group),
                                         static_cast<std::uint32_t>(sites.size()));
    if (added) group_stacks_.emplace_back(std::vector<ReportFrame>{groups.frames()[group]});
    site_of_.push_back(it->second);
  }
  sort_series(sites.size());
}

void SiteTable::sort_series(std::size_t sites) {
  site_begins_.assign(sites + 1, 0);
  for (std::uint32_t site : site_of_) ++site_begins_[site + 1];
  for (std::size_t site = 0; site < sites; ++site) site_begins_[site + 1] += site_begins_[site];
  std::vector<std::uint32_t> next(site_begins_.begin(), site_begins_.end() - 1);
  series_by_site_.resize(site_of_.size());
  for (std::uint32_t series = 0; series < site_of_.size(); ++series) series_by_site_[next[site_of_[series]]++] = series;
}

const CallStack& SiteTable::stack_of(std::uint32_t series) const {
  return recording_->stacks[static_cast<std::size_t>(memory_of(*recording_).series[series].stack)];
}

ReportStack SiteTable::stack(std::size_t site) const {
  if (group_ != GroupBy::kStack) return group_stacks_[site];
  std::uint32_t first = series_of(site).front();
  if (stack_of(first).locations.empty()) return std::vector<ReportFrame>{unknown_frame()};
  return {texts_, memory_of(*recording_).series[first].stack};
}

bool SiteTable::folded(std::size_t site) const {
  return group_ == GroupBy::kStack && stack_of(series_of(site).front()).end == DWELL_STACK_FOLDED;
}

std::string SiteTable::incomplete(std::size_t site) const {
  return group_ == GroupBy::kStack ? incomplete_because(stack_of(series_of(site).front()).end) : "";
}

}  // namespace dwell
