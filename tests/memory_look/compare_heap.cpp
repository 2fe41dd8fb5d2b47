// SPDX-License-Identifier: Apache-2.0
// compare_heap rest|busy COMMAND...: the heap of heap_blocks (or of a build of it for another C library, started by that
// library's loader) read from outside, against the program's own list. One line of figures; exit code 1 where they differ.
#include <fmt/core.h>

#include <cstdlib>
#include <map>
#include <set>

#include "tests/memory_look/heap_harness.h"

namespace {

using dwell::testing::HeapBlocks;
using dwell::testing::Walked;

// At rest, what the allocator says it has handed out, beside ours. jemalloc counts the stacks of its five threads' caches, of 28 KB each,
// as allocated; they are metadata here.
bool totals_agree(const hb_truth& said, const Walked& walked) {
  constexpr std::uint64_t kStacks = 5 * 28672;
  if (said.jemalloc_allocated && walked.live_bytes + walked.cached_bytes + kStacks != said.jemalloc_allocated) return false;
  return !said.tcmalloc_allocated || walked.live_bytes == said.tcmalloc_allocated;
}

bool compare(const HeapBlocks& program, bool busy) {
  Walked walked = dwell::testing::walk_heap(program.pid());
  if (!walked.found) {
    fmt::print("no heap found\n");
    return false;
  }
  // Aligned blocks of others begin within their slots; and what is free, only glibc tells the program.
  bool is_glibc = walked.name.starts_with("glibc");
  std::size_t missed = dwell::testing::missed(program.truth(), walked, !is_glibc);
  bool sums = true;
  for (const auto& check : walked.checksums) sums &= check.said == check.found || (busy && !walked.name.starts_with("glibc"));
  bool free = !is_glibc || walked.free_bytes == program.truth().free_bytes;
  bool totals = busy || totals_agree(program.truth(), walked);
  fmt::print("{:12} {}: {} arenas, {} live, {} missed, {} beside them; {} retries, {} B lost{}{}{}\n", walked.name,
             busy ? "busy" : "rest", walked.arenas, program.truth().live, missed,
             walked.live.size() - (program.truth().live - missed), walked.quality.retries, walked.quality.lost_bytes,
             sums ? "" : ", CHECKSUM DIFFERS", totals ? "" : ", TOTAL DIFFERS", busy || free ? "" : fmt::format(", free bytes {} for {}", walked.free_bytes, program.truth().free_bytes));
  if (std::getenv("DWELL_SHOW_OTHERS")) {
    std::map<std::uint64_t, int> others;
    std::set<std::uint64_t> own;
    for (unsigned long i = 0; i < program.truth().live; ++i) own.insert(program.truth().blocks[i].address);
    for (const auto& [address, usable] : walked.live)
      if (!own.contains(address)) ++others[usable];
    for (const auto& [usable, count] : others) fmt::print("  {} of {} B\n", count, usable);
  }
  return missed == 0 && sums && totals && (busy || (free && walked.live.size() < program.truth().live + 32));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  ::testing::InitGoogleTest();
  bool busy = std::string_view(argv[1]) == "busy";
  HeapBlocks program(std::vector<std::string>(argv + 2, argv + argc), argv[1]);
  bool same = true;
  for (int looks = 0; looks < (busy ? 5 : 1); ++looks) same &= compare(program, busy);
  return same ? 0 : 1;
}
