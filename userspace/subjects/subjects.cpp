// SPDX-License-Identifier: Apache-2.0
#include "userspace/subjects/subjects.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "userspace/base/text.h"
#include "userspace/clocks/subject.h"
#include "userspace/files/subject.h"
#include "userspace/go/subject.h"
#include "userspace/memory/part.h"
#include "userspace/memory/subject.h"
#include "userspace/pairs/subject.h"
#include "userspace/threads/subject.h"

namespace dwell {

std::span<const Subject> subjects() {
  static const std::vector<Subject> all = {memory_subject(), threads_subject(), clocks_subject(), go_subject(), files_subject(), pairs_subject()};
  return all;
}

const Peers& peers() {
  static const Peers all = [] {
    Peers known;
    for (const Subject& subject : subjects())
      if (subject.block_sites) known.block_sites = subject.block_sites;
    for (const Subject& subject : subjects())
      if (subject.runtime_memory) known.runtime_memory.push_back(subject.runtime_memory);
    return known;
  }();
  return all;
}

// Others are looked at only.
static bool is_recorded(const Subject& subject) { return !subject.followed.empty(); }

std::string subject_names() {
  std::string names;
  for (const Subject& subject : subjects())
    if (is_recorded(subject)) names += fmt::format("{}{}", names.empty() ? "" : ", ", subject.name);
  return names;
}

Result<const Subject*> find_subject(std::string_view name) {
  for (const Subject& subject : subjects())
    if (subject.name == name && is_recorded(subject)) return &subject;
  return Error{fmt::format("'{}' is no subject of a report", name), "one of: " + subject_names(), Exit::kUsage};
}

std::string full_name(const Subject& subject, const View& view) {
  return fmt::format("{}:{}", subject.name, view.name);
}

Result<const View*> find_view(std::string_view name) {
  std::vector<const View*> found;
  std::vector<std::string> names;  // in full and without the subject, by turns
  for (const Subject& subject : subjects()) {
    for (const View& view : subject.views) {
      names.push_back(full_name(subject, view));
      if (name == names.back()) return &view;
      if (name == view.name) found.push_back(&view);
      names.emplace_back(view.name);
    }
  }
  if (found.size() == 1) return found[0];
  std::string nearest = nearest_of(name, names);
  if (auto at = std::ranges::find(names, nearest); at != names.end() && (at - names.begin()) % 2) nearest = *(at - 1);
  std::string hint = nearest.empty() ? "dwell export FILE --view lists those that a recording has"
                                     : "did you mean " + nearest + "? dwell export FILE --view lists them";
  return Error{fmt::format("'{}' is no view", name), hint, Exit::kUsage};
}

std::string list_views(const Recording* recording) {
  std::string list;
  for (const Subject& subject : subjects()) {
    for (const View& view : subject.views) {
      bool there = !recording || view.there(*recording);
      list += fmt::format("{:<18} {}{}\n", full_name(subject, view), view.sentence,
                          there ? "" : fmt::format(" (not in this recording: {})", view.how));
    }
  }
  return list;
}

Result<void> check_range(const Recording& recording, const ViewFilter& filter) {
  std::uint64_t lasted = recording.end_ns() - recording.start_ns();
  if (!filter.from_ns || *filter.from_ns <= lasted) return {};
  return Error{fmt::format("--from {}: the recording ended after {}", human_duration(*filter.from_ns), human_duration(lasted)),
               "times count from the start of the recording", Exit::kUsage};
}

Result<Profile> profile_of(const View& view, const Recording& recording, const ViewFilter& filter) {
  if (!view.there(recording))
    return Error{fmt::format("this recording has no view {}", view.name), fmt::format("make one that has it: {}", view.how),
                 Exit::kUsage};
  if (!view.filtered && filter != ViewFilter())
    return Error{fmt::format("the view {} can't be filtered", view.name), "leave the filters away", Exit::kUsage};
  if (Result<void> range = check_range(recording, filter); !range) return range.error();
  return view.profile(recording, filter);
}

namespace {

using Section = std::string (*)(const Recording&, const SectionStyle&, const Peers&);

std::string text_of(Section Subject::*section, const Recording& recording, const SectionStyle& how) {
  std::string text;
  for (const Subject& subject : subjects())
    if (subject.*section) text += (subject.*section)(recording, how, peers());
  return text;
}

}  // namespace

std::string text_before(const Recording& recording, const SectionStyle& how) {
  return text_of(&Subject::before, recording, how);
}
std::string text_behind(const Recording& recording, const SectionStyle& how) {
  return text_of(&Subject::behind, recording, how);
}

std::vector<std::string> sentences_of(const Recording& recording) {
  std::vector<std::string> all;
  for (const Subject& subject : subjects())
    if (subject.sentences) std::ranges::move(subject.sentences(recording, peers()), std::back_inserter(all));
  return all;
}

const Subject* only_look(const Recording& recording) {
  if (!recording.costs.empty()) return nullptr;
  for (const Subject& subject : subjects())
    if (subject.has_look && subject.has_look(recording)) return &subject;
  return nullptr;
}

const View& default_view(const Recording& recording) {
  // A program that manages its memory itself has nothing to show of allocators.
  if (!memory_of(recording).series.empty()) return **find_view("memory:retained");
  for (const char* name : {"go:heap", "go:goroutines", "threads:look", "clocks:reads"}) {
    const View& view = **find_view(name);
    if (view.there(recording)) return view;
  }
  return **find_view("memory:retained");
}

}  // namespace dwell
