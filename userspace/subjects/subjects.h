// SPDX-License-Identifier: Apache-2.0
// The table of subjects: what dwell follows, looks at and reports. Commands, help and completion are made from it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/record/subject.h"

namespace dwell {

std::span<const Subject> subjects();

// What they know for one another.
const Peers& peers();

// Of those that a recording has: "memory, threads, clocks, go".
std::string subject_names();
// One of them, by its name. Exit::kUsage with the names that there are.
Result<const Subject*> find_subject(std::string_view name);

std::string full_name(const Subject& subject, const View& view);  // "threads:blocked"

// By its full name, or by what follows the colon where no other subject has a view of that name. Exit::kUsage with the
// names that there are, and the nearest.
Result<const View*> find_view(std::string_view name);

// A line for each view: name, sentence, and what to run for those that are not in the recording. Null: of all.
std::string list_views(const Recording* recording);

// Exit::kUsage where the filter asks for a time that the recording doesn't have.
Result<void> check_range(const Recording& recording, const ViewFilter& filter);

// Exit::kUsage where the recording has nothing of it, or a filter was given that it doesn't take.
Result<Profile> profile_of(const View& view, const Recording& recording, const ViewFilter& filter);

// What the subjects say of a recording before memory's report, and behind it.
std::vector<std::string> sentences_of(const Recording& recording);  // of all subjects, for a summary
std::string text_before(const Recording& recording, const SectionStyle& how);
std::string text_behind(const Recording& recording, const SectionStyle& how);

// The subject of a recording that is one look and nothing else: it reads as it did when it was taken. Null: it is more
// (each tick of a recording has its cost).
const Subject* only_look(const Recording& recording);

// What is exported where no view is named: memory, where the recording followed it, else what a look was of.
const View& default_view(const Recording& recording);

}  // namespace dwell
