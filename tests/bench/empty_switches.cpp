// SPDX-License-Identifier: Apache-2.0
// Puts an empty program where dwell follows blocked time. Holds them until its standard input ends.
#include <fmt/core.h>
#include <unistd.h>

#include <memory>

#include "empty_switch.skel.h"

int main() {
  std::unique_ptr<::empty_switch, decltype(&empty_switch__destroy)> programs(empty_switch__open_and_load(),
                                                                             empty_switch__destroy);
  if (!programs || empty_switch__attach(programs.get())) {
    fmt::print(stderr, "empty_switches: the programs could not be loaded and attached\n");
    return 1;
  }
  fmt::print("attached\n");
  std::fflush(stdout);
  char ignored;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {
  }
}
