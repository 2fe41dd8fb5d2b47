// SPDX-License-Identifier: Apache-2.0
// The command line, whatever it says: a command or a message and an exit code, never an end by exception. Words are
// divided by newlines.
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/fuzz/memory_bound.h"
#include "userspace/commands/options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // CLI11 alone takes most of this, for its description of all options.
  dwell::testing::MemoryBound bound(size, 16 << 20, 1024);
  std::string text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> words{"dwell"};
  for (std::size_t from = 0, to; from <= text.size() && words.size() < 64; from = to + 1) {
    to = std::min(text.find('\n', from), text.size());
    words.push_back(text.substr(from, to - from).c_str());  // a word ends at its first zero
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  dwell::Command command = dwell::parse_command_line(static_cast<int>(words.size()), arguments.data());
  if (auto* answer = std::get_if<dwell::PrintAndExit>(&command))
    if (answer->text.empty() || answer->exit < 0 || answer->exit > 255) std::abort();
  dwell::parse_size(text);
  dwell::parse_duration(text);
  dwell::parse_percent(text);
  return 0;
}
