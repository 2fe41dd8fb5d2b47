// SPDX-License-Identifier: Apache-2.0
// UnwindTables: keeps the unwind tables that the BPF programs see in step with what the traced processes map.
//
//   UnwindTables tables;
//   tables.sync(pid, slot, *read_maps(pid));     // parse or fetch from the cache, into ordinary memory
//   set the maps' sizes to tables.sizes_to_load(), load the programs
//   tables.bind(fds, sizes);                     // from here on the BPF maps are the memory
//   tables.sync(...) again whenever the process has mapped or unmapped code
//
// One thread at a time. A process whose tables are being changed keeps the old ones until the new ones stand.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"
#include "userspace/recording/ids.h"
#include "userspace/unwind/table_cache.h"
#include "userspace/unwind/table_memory.h"
#include "userspace/unwind/unwind_table.h"

namespace dwell {

struct UnwindProblem {
  std::string path;
  std::string reason;  // why stacks through it follow frame pointers, or end there
};

struct UnwindSync {
  bool changed = false;  // the process has other code than at the last sync
  std::uint32_t modules_loaded = 0;
  std::uint32_t modules_from_cache = 0;
  std::uint64_t generation = 0;  // rises when an address may mean something else than before
  std::vector<UnwindProblem> problems;
};

struct UnwindOptions {
  std::string cache_directory = TableCache::default_directory();  // "": none
  bool full_rows = false;  // for walks outside of BPF: every row at once, and no cache
};

class UnwindTables {
 public:
  explicit UnwindTables(UnwindOptions options = {});
  UnwindTables(UnwindTables&&) noexcept;
  ~UnwindTables();

  // Loads what is new among the executable mappings and publishes the process's address space.
  UnwindSync sync(pid_t pid, TargetSlot slot, std::span<const Mapping> mappings);
  // A fork: the child has its parent's mappings.
  void copy(TargetSlot parent, pid_t child_pid, TargetSlot child);
  // The process ended, or is about to get another program.
  void drop(TargetSlot slot);
  // Full rows for the module that `pc` lies in: a stack ended with DWELL_STACK_ASYNC there. False if it has
  // them already, or could not get them: an error is reported once for each module.
  Result<bool> load_full(TargetSlot slot, std::uint64_t pc);

  // The rule for a return address, as a walk would find it; kNoRule where only frame pointers lead on.
  UnwindRule call_rule_at(TargetSlot slot, std::uint64_t return_address) const;

  // What is needed now, and room for what comes.
  UnwindMapSizes sizes_to_load() const;
  Result<void> bind(const UnwindMapFds& fds, const UnwindMapSizes& sizes);

  const TableMemory& memory() const { return memory_; }
  std::uint32_t rows_used() const { return memory_.rows.used(); }

 private:
  struct Module;
  struct Placed;  // a mapping and its module
  struct Space;
  struct Retired {
    enum Array { kMappings, kPages, kRows } array;
    std::uint32_t begin, count;
  };
  struct RowsAt {
    std::uint32_t first_page = DWELL_NO_PAGES, page_count = 0, first_row = 0, row_count = 0;
  };

  std::shared_ptr<Module> module_for(pid_t pid, const Mapping& mapping, UnwindSync& report);
  std::shared_ptr<Module> load_file(pid_t pid, const Mapping& mapping, const std::string& path,
                                    UnwindSync& report);
  std::shared_ptr<Module> load_vdso(pid_t pid, const Mapping& mapping);
  Result<UnwindTable> table_of(const std::string& path, const std::string& cache_key, UnwindSync& report);
  Result<void> place(const UnwindTable& table, const RowTable& rows, RowsAt& at);
  std::uint32_t global_rule(const UnwindRule& rule);
  Result<std::uint32_t> take(Retired::Array array, std::uint32_t count);
  void publish(TargetSlot slot, Space& space);
  void retire(Retired::Array array, std::uint32_t begin, std::uint32_t count);
  void reclaim();
  void evict_unused();

  UnwindOptions options_;
  TableCache cache_;
  TableMemory memory_;
  std::unordered_map<std::uint64_t, std::uint32_t> rule_indices_;
  std::unordered_map<std::string, std::shared_ptr<Module>> modules_;  // by file and by build id
  std::array<std::unique_ptr<Space>, DWELL_UNWIND_SPACES> spaces_;
  std::array<std::uint64_t, DWELL_UNWIND_SPACES> last_generations_{};  // of the process that had the slot before
  std::uint64_t publications_ = 0;
  std::vector<Retired> retired_;  // unreachable, but a walk that began before may still be reading
};

}  // namespace dwell
