// SPDX-License-Identifier: Apache-2.0
// What a recording follows: the defaults of the table, changed by --only, --without and the flags that add something.
// Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/record/subject.h"

namespace dwell {

// As on the command line. A name is a subject's, or that of one thing it follows: "go", "go:heap", "heap".
struct FollowRequest {
  std::vector<std::string> only, without;
  std::vector<std::string> added;  // by flags; full names
  std::map<std::string, std::vector<std::string>> values = {};  // of flags that take some; by full name
};

using Choice = std::map<std::string_view, Chosen>;  // by subject; those without anything are left out

// Exit::kUsage, with the nearest name, for one that is not there or has several meanings, for requests that contradict
// each other, and where nothing is left.
Result<Choice> choose(std::span<const Subject> subjects, const FollowRequest& request);

// "go:heap"; the name of the subject alone where it follows one thing.
std::string full_name(const Subject& subject, const Followed& followed);

// What the target has and was not recorded, because only a flag asks for it: "threads:blocked (--blocked), ..."; "": nothing.
std::string list_left_out(std::span<const Subject> subjects, const Choice& choice, const Recording& recording);

// A table for --help: what a recording follows by default, and what adds the rest.
std::string list_followed(std::span<const Subject> subjects);

}  // namespace dwell
