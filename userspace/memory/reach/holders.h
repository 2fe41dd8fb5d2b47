// SPDX-License-Identifier: Apache-2.0
// Holders: what keeps the live blocks of a process: which global variable, thread or other memory, how much
// would go with it, and what that is. By looks until it is settled (settling_looks.h); nothing is stopped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/memory/reach/held_sums.h"
#include "userspace/memory/reach/named_roots.h"

namespace dwell::memory::reach {

struct HolderOptions {
  pid_t pid = 0;
  std::uint64_t max_read_per_s = 0;  // bytes; 0: as fast as it goes
  std::size_t most = 50;             // holders that are described
};

// Blocks that are alike.
struct HeldGroup {
  std::string type;           // mangled name of a class; "": it has none
  bool held_by_type = false;  // no objects of that class, but what hangs on such objects
  std::uint64_t usable = 0;   // bytes of each block, if there is no class
  std::uint64_t blocks = 0, bytes = 0;
};

// On the way from a root to what it holds: a block through which nine tenths of it hang.
struct HeldThrough {
  std::uint64_t address = 0, usable = 0, retained = 0;
  std::string type;
};

// A block that several hold at once, with what hangs on it.
struct SharedBlock {
  HeldThrough block;
  std::vector<std::string> by;   // some of those that lead to it
  std::uint64_t all_holders = 0;
};

// What is held by none that has a name of its own.
constexpr std::string_view kBySeveral = "several of these at once", kByOthers = "other places",
                           kByNothing = "nothing: leaked", kByMoved = "what moved meanwhile";

struct Holder {
  Root root;
  std::string name;
  std::uint64_t blocks = 0, bytes = 0;  // that would go with it
  std::vector<HeldThrough> path;
  std::vector<HeldGroup> groups;  // the largest first
};

struct HolderReport {
  std::string allocator;
  std::string failed;  // why nothing can be said: "" if something can
  std::uint64_t live_blocks = 0, live_bytes = 0;
  std::vector<Holder> holders;  // the largest first
  std::uint64_t all_holders = 0;
  Holder several;    // held by more than one at the same time: no name
  std::vector<SharedBlock> shared;  // the largest of that
  Holder others;                    // by holders that are not described
  Holder leaked;                    // nothing leads there; only if it is settled
  Holder moved;           // held, but the last look did not see by whom; or leaked, if it is not settled
  std::string unsettled;  // why not: "" if it is
  int looks = 0;
  std::uint64_t duration_ns = 0, bytes_read = 0, edges = 0, swapped_pages = 0;
};

// Each block with who holds it, for comparisons of two looks.
struct HeldBlocks {
  std::optional<BlockIndex> index;
  std::uint64_t time_ns = 0;            // when the last look began
  std::vector<HeldSums::Label> labels;  // by block
  std::vector<std::string> owners;      // names, by the labels' owner
  std::vector<std::string> types;       // mangled names, by the labels' type; the first is ""
};

// `blocks`: filled where it is wanted.
Result<HolderReport> find_holders(const HolderOptions& options, HeldBlocks* blocks = nullptr);

}  // namespace dwell::memory::reach
