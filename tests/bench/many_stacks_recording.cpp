// SPDX-License-Identifier: Apache-2.0
// Writes a recording with so many different stacks, for scripts/bench.d/report-memory.
//
//   many_stacks_recording STACKS FILE
#include "many_stacks.h"

#include <fmt/core.h>

#include <cstdlib>

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: many_stacks_recording STACKS FILE\n");
    return 2;
  }
  dwell::Result<void> written = dwell::write_many_stacks(argv[2], static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10)));
  if (written) return 0;
  fmt::print(stderr, "many_stacks_recording: {}\n", written.error().what);
  return 1;
}
