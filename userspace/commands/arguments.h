// SPDX-License-Identifier: Apache-2.0
// Around the library that reads the command line: what it can't say well itself.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace dwell {

// The arguments before "--", and the command after it.
struct Arguments {
  std::vector<std::string> options;  // without the program's name
  std::vector<std::string> command;
  bool has_command = false;          // there was a "--"
};
Arguments split_arguments(int argc, char** argv);

// What is wrong with a command line, as a message of dwell's: "dwell: record has no option --follow\nhint: ...".
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace dwell
