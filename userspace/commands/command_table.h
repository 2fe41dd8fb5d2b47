// SPDX-License-Identifier: Apache-2.0
// The commands that are not the look of a subject: names, one sentence each, examples. --help and completion are made from
// this and from the table of subjects, and the manual page is held against it.
#pragma once

#include <string>
#include <string_view>

namespace dwell {

struct CommandWords {
  std::string_view name;
  std::string_view sentence;
  std::string_view examples;  // a line each
};

// Of the command line as a whole: name is "dwell".
const CommandWords& words_of_dwell();
// Those of "check", "record", "top", "mark", "report", "export", "diff", "symbolize" and "doctor".
const CommandWords& words_of(std::string_view command);

// As it stands beneath the options in --help.
std::string examples_text(std::string_view examples);

}  // namespace dwell
