// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/unwind_tables.h"

#include <fmt/core.h>
#include <linux/membarrier.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

#include "userspace/base/open_regular.h"
#include "userspace/unwind/module_source.h"

namespace dwell {
namespace {

constexpr std::uint64_t kPageSize = 4096;
constexpr std::uint32_t kMaxModuleRows = 8u
                                         << 20;  // 64 MiB; the largest binaries known have a fortieth of it

// Says which file it is: an inode number alone comes back when a file is deleted.
std::string file_key(const std::string& path) {
  struct stat status;
  if (!known_status(path, status)) return "";
  return fmt::format("{}:{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

// Not code of the process's own: the kernel's scratch page for probed instructions, and the legacy page.
bool is_kernels(const Mapping& mapping) {
  return mapping.path == "[uprobes]" || mapping.path == "[vsyscall]";
}

// Every BPF program that could have seen the old tables has ended when this returns true.
bool wait_for_readers() { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0; }

std::uint32_t with_room(std::uint32_t needed, std::uint32_t room, std::uint32_t limit) {
  std::uint64_t size = std::uint64_t{needed} + std::max(needed, room);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(size, std::max(needed, limit)));
}

}  // namespace

struct UnwindTables::Module {
  std::string path;
  std::vector<ElfSegment> segments;  // executable ones
  std::uint64_t base = 0;            // the table's
  std::uint32_t kind = DWELL_MAPPING_NO_TABLE;
  std::string problem;
  std::string cache_key;
  RowsAt calls, full;
  bool full_refused = false;  // those rows could not be had: each attempt would read the whole file again

  // Virtual address of what is mapped at a file offset. Mappings begin at page boundaries, segments need not.
  std::optional<std::uint64_t> vaddr_of(std::uint64_t offset) const {
    for (const ElfSegment& segment : segments) {
      std::uint64_t begin = segment.file_offset & ~(kPageSize - 1);
      if (offset >= begin && offset < segment.file_offset + segment.file_size)
        return (segment.vaddr & ~(kPageSize - 1)) + (offset - begin);
    }
    return std::nullopt;
  }
};

struct UnwindTables::Placed {
  Mapping mapping;
  std::shared_ptr<Module> module;  // null: generated code
  std::uint64_t bias = 0;

  bool same_code(const Placed& other) const {
    return mapping.start == other.mapping.start && mapping.end == other.mapping.end && bias == other.bias &&
           (module == other.module ||
            (is_missing() && other.is_missing() && module->path == other.module->path));
  }
  bool is_missing() const { return module && module->kind == DWELL_MAPPING_PENDING; }
};

struct UnwindTables::Space {
  pid_t pid = 0;
  std::uint64_t generation = 1;
  std::vector<Placed> placed;
  std::uint32_t header = 0;     // index in mappings, 0 while not published
  std::uint32_t published = 0;  // elements there, the header included
};

UnwindTables::UnwindTables(UnwindOptions options)
    : options_(std::move(options)), cache_(options_.full_rows ? "" : options_.cache_directory) {
  rule_indices_.emplace(rule_word(kNoRule), 0);
  global_rule({0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME});
}

UnwindTables::UnwindTables(UnwindTables&&) noexcept = default;
UnwindTables::~UnwindTables() = default;

// ---- arrays ----

void UnwindTables::retire(Retired::Array array, std::uint32_t begin, std::uint32_t count) {
  if (count) retired_.push_back({array, begin, count});
}

void UnwindTables::reclaim() {
  if (retired_.empty()) return;
  // Without the barrier nothing may be reused: better to run out of room than to change rows under a walk.
  if (memory_.rows.bound() && !wait_for_readers()) return;
  for (const Retired& range : retired_) {
    if (range.array == Retired::kMappings) memory_.mappings.free(range.begin, range.count);
    if (range.array == Retired::kPages) memory_.pages.free(range.begin, range.count);
    if (range.array == Retired::kRows) memory_.rows.free(range.begin, range.count);
  }
  retired_.clear();
}

// Forgets the tables of modules that no process has mapped any more.
void UnwindTables::evict_unused() {
  std::unordered_map<const Module*, long> keys;
  for (const auto& [key, module] : modules_) keys[module.get()]++;
  for (auto at = modules_.begin(); at != modules_.end();) {
    std::shared_ptr<Module> module = at->second;
    bool unused = module.use_count() == keys[module.get()] + 1;
    if (!unused) {
      ++at;
      continue;
    }
    if (--keys[module.get()] == 0) {
      for (const RowsAt* rows : {&module->calls, &module->full}) {
        if (rows->first_page == DWELL_NO_PAGES) continue;
        if (rows == &module->full && rows->first_page == module->calls.first_page) continue;
        retire(Retired::kRows, rows->first_row, rows->row_count);
        retire(Retired::kPages, rows->first_page, rows->page_count);
      }
    }
    at = modules_.erase(at);
  }
}

Result<std::uint32_t> UnwindTables::take(Retired::Array array, std::uint32_t count) {
  auto attempt = [&] {
    if (array == Retired::kMappings) return memory_.mappings.allocate(count);
    if (array == Retired::kPages) return memory_.pages.allocate(count);
    return memory_.rows.allocate(count);
  };
  std::optional<std::uint32_t> begin = attempt();
  if (!begin) {
    evict_unused();
    reclaim();
    begin = attempt();
  }
  if (begin) return *begin;
  const char* names[] = {"mappings", "pages", "rows"};
  return Error{fmt::format("no room for {} more unwind {}", count, names[array]), ""};
}

std::uint32_t UnwindTables::global_rule(const UnwindRule& rule) {
  auto [found, added] = rule_indices_.try_emplace(rule_word(rule), 0);
  if (!added) return found->second;
  std::optional<std::uint32_t> index = memory_.rules.allocate(1);
  if (!index) {
    rule_indices_.erase(found);
    return 1;  // DWELL_CFA_UNSUPPORTED
  }
  memory_.rules.data()[*index] = rule;
  found->second = *index;
  return *index;
}

Result<void> UnwindTables::place(const UnwindTable& table, const RowTable& rows, RowsAt& at) {
  std::uint32_t row_count = static_cast<std::uint32_t>(rows.rows.size());
  std::uint32_t page_count = static_cast<std::uint32_t>((table.size + kPageSize - 1) / kPageSize);
  if (row_count > kMaxModuleRows) return Error{fmt::format("{} unwind rows are too many", row_count), ""};
  Result<std::uint32_t> first_row = take(Retired::kRows, row_count);
  if (!first_row) return first_row.error();
  Result<std::uint32_t> first_page = take(Retired::kPages, page_count);
  if (!first_page) {
    retire(Retired::kRows, *first_row, row_count);
    return first_page.error();
  }

  std::vector<std::uint32_t> rule_of(table.rules.size());
  for (std::size_t i = 0; i < table.rules.size(); i++) rule_of[i] = global_rule(table.rules[i]);
  for (std::uint32_t i = 0; i < row_count; i++)
    memory_.rows.data()[*first_row + i] = {rows.rows[i].pc, rule_of[rows.rows[i].rule]};

  std::uint32_t next = 0;  // first row at or above the page's begin
  for (std::uint32_t page = 0; page < page_count; page++) {
    std::uint64_t begin = page * kPageSize, end = begin + kPageSize;
    while (next < row_count && rows.rows[next].pc < begin) next++;
    bool starts_here = next < row_count && rows.rows[next].pc == begin;
    std::uint32_t first = next > 0 && !starts_here ? next - 1 : next;
    std::uint32_t last = next;
    while (last < row_count && rows.rows[last].pc < end) last++;
    memory_.pages.data()[*first_page + page] = {*first_row + first, last - first};
    next = last;
  }
  at = {*first_page, page_count, *first_row, row_count};
  return {};
}

UnwindMapSizes UnwindTables::sizes_to_load() const {
  // Room for libraries that come later, and for full rows of those that signals interrupt: of Go programs
  // these are five times as many as the rows of calls.
  constexpr std::uint32_t kFullToCalls = 6;
  std::uint32_t rows = memory_.rows.used(),
                full = std::min(rows, ~std::uint32_t{0} / kFullToCalls) * kFullToCalls;
  return {with_room(memory_.mappings.used(), 16384, 1u << 20),
          with_room(memory_.pages.used(), 65536, 4u << 20),
          with_room(rows, std::max(full, 512u << 10), 32u << 20),
          with_room(memory_.rules.used(), 16384, 1u << 20)};
}

Result<void> UnwindTables::bind(const UnwindMapFds& fds, const UnwindMapSizes& sizes) {
  // The spaces last: what they point to must stand.
  if (Result<void> done = memory_.rules.bind(fds.rules, sizes.rules, "unwind_rules"); !done) return done;
  if (Result<void> done = memory_.rows.bind(fds.rows, sizes.rows, "unwind_rows"); !done) return done;
  if (Result<void> done = memory_.pages.bind(fds.pages, sizes.pages, "unwind_pages"); !done) return done;
  if (Result<void> done = memory_.mappings.bind(fds.mappings, sizes.mappings, "unwind_mappings"); !done)
    return done;
  return memory_.spaces.bind(fds.spaces, DWELL_UNWIND_SPACES, "unwind_spaces");
}

// ---- modules ----

Result<UnwindTable> UnwindTables::table_of(const std::string& path, const std::string& cache_key,
                                           UnwindSync& report) {
  report.modules_loaded++;
  if (options_.full_rows) return build_module_table({path, {}}, TableRows::kFull);
  if (std::optional<UnwindTable> cached = cache_.load(cache_key)) {
    report.modules_from_cache++;
    return std::move(*cached);
  }
  Result<UnwindTable> table = build_module_table({path, {}}, TableRows::kCalls);
  if (table) cache_.store(cache_key, *table);
  return table;
}

std::shared_ptr<UnwindTables::Module> UnwindTables::load_file(pid_t pid, const Mapping& mapping,
                                                              const std::string& path, UnwindSync& report) {
  auto module = std::make_shared<Module>();
  module->path = mapping.path;
  Result<ModuleFacts> facts = describe_module({path, {}});
  if (!facts) {
    module->problem = facts.error().what;
    // Unmapped since, and its address with it: nothing is known of it, which is not to say that it has no table.
    if (::access(path.c_str(), F_OK) != 0) module->kind = DWELL_MAPPING_PENDING;
    return module;
  }
  if (facts->machine != 62) {  // EM_X86_64
    module->problem = fmt::format("machine type {} is not x86-64", facts->machine);
    return module;
  }
  // A file from another root can have a build id that lies: not cached, and not shared.
  if (has_our_root(pid)) module->cache_key = TableCache::key_for(path, facts->build_id);
  if (!module->cache_key.empty()) {
    auto known = modules_.find(module->cache_key);
    if (known != modules_.end()) return known->second;
  }
  for (const ElfSegment& segment : facts->segments)
    if (segment.executable) module->segments.push_back(segment);

  Result<UnwindTable> table = table_of(path, module->cache_key, report);
  if (!table) {
    module->problem = table.error().what;
    if (::access(path.c_str(), F_OK) != 0) module->kind = DWELL_MAPPING_PENDING;
    return module;
  }
  module->base = table->base;
  const RowTable& rows = options_.full_rows ? table->full : table->calls;
  if (rows.rows.empty()) {
    module->problem = "has no unwind information; stacks through it follow frame pointers";
    return module;
  }
  Result<void> placed = place(*table, rows, module->calls);
  if (!placed) {
    module->problem = placed.error().what;
    module->kind = DWELL_MAPPING_PENDING;  // the stacks end here rather than guess
    return module;
  }
  if (options_.full_rows) module->full = module->calls;
  module->kind = DWELL_MAPPING_TABLE;
  if (!module->cache_key.empty()) modules_.emplace(module->cache_key, module);
  return module;
}

std::shared_ptr<UnwindTables::Module> UnwindTables::load_vdso(pid_t pid, const Mapping& mapping) {
  auto module = std::make_shared<Module>();
  module->path = mapping.path;
  Result<std::string> bytes = read_vdso(pid, mapping);
  if (!bytes) {
    module->problem = bytes.error().what;
    return module;
  }
  ModuleSource source{{}, std::move(*bytes)};
  Result<ModuleFacts> facts = describe_module(source);
  Result<UnwindTable> table =
      facts ? build_module_table(source, TableRows::kFull) : Result<UnwindTable>(facts.error());
  Result<void> placed = table ? place(*table, table->full, module->calls) : Result<void>(table.error());
  if (!placed) {
    module->problem = placed.error().what;
    return module;
  }
  for (const ElfSegment& segment : facts->segments)
    if (segment.executable) module->segments.push_back(segment);
  module->base = table->base;
  module->full = module->calls;
  module->kind = DWELL_MAPPING_TABLE;
  return module;
}

std::shared_ptr<UnwindTables::Module> UnwindTables::module_for(pid_t pid, const Mapping& mapping,
                                                               UnwindSync& report) {
  bool vdso = mapping.path == "[vdso]";
  if (!mapping.is_file() && !vdso) return nullptr;
  std::string path, key = "[vdso]";
  if (!vdso) {
    Result<std::string> opened = path_to_open(pid, mapping);
    if (!opened) {
      // Not to be had now: the stacks end here and say so, and the next sync tries again.
      auto missing = std::make_shared<Module>();
      missing->path = mapping.path;
      missing->kind = DWELL_MAPPING_PENDING;
      const Error& error = opened.error();
      report.problems.push_back({mapping.path, error.hint.empty() ? error.what : error.what + ": " + error.hint});
      return missing;
    }
    path = std::move(*opened);
    key = file_key(path);
  }
  auto known = modules_.find(key);
  if (known != modules_.end()) return known->second;

  std::shared_ptr<Module> module = vdso ? load_vdso(pid, mapping) : load_file(pid, mapping, path, report);
  if (module->kind == DWELL_MAPPING_PENDING && ::access(path.c_str(), F_OK) != 0) {
    Result<std::string> again = path_to_open(pid, mapping);  // by its name, as it is mapped no more
    if (again) module = load_file(pid, mapping, *again, report);
  }
  bool generated = module->kind == DWELL_MAPPING_NO_TABLE && mapping.path.starts_with(kMemfd);
  if (!module->problem.empty() && !generated) report.problems.push_back({module->path, module->problem});
  // What found no room is tried again at the next sync.
  if (!key.empty() && module->kind != DWELL_MAPPING_PENDING) modules_.emplace(key, module);
  return module;
}

// ---- address spaces ----

void UnwindTables::publish(TargetSlot slot, Space& space) {
  std::uint32_t count = static_cast<std::uint32_t>(space.placed.size());
  Result<std::uint32_t> begin = take(Retired::kMappings, count + 1);
  if (!begin) return;  // the old space stays; sync() says so
  dwell_unwind_mapping* out = memory_.mappings.data() + *begin;
  dwell_unwind_space header = {};
  header.generation = space.generation;
  header.publication = ++publications_;
  header.count = count;
  static_assert(sizeof(header) == sizeof(*out));
  std::memcpy(out, &header, sizeof(header));
  for (const Placed& placed : space.placed) {
    dwell_unwind_mapping& entry = *++out;
    entry = {};
    entry.start = placed.mapping.start;
    entry.end = placed.mapping.end;
    entry.bias = placed.bias;
    entry.kind = placed.module ? placed.module->kind : static_cast<std::uint32_t>(DWELL_MAPPING_NO_TABLE);
    entry.call_pages = entry.full_pages = DWELL_NO_PAGES;
    if (!placed.module) continue;
    entry.page_count = placed.module->calls.page_count;
    entry.call_pages = placed.module->calls.first_page;
    entry.full_pages = placed.module->full.first_page;
  }
  std::atomic_ref<std::uint64_t>(memory_.spaces.data()[slot]).store(*begin, std::memory_order_release);
  retire(Retired::kMappings, space.header, space.published);
  space.header = *begin;
  space.published = count + 1;
}

UnwindSync UnwindTables::sync(pid_t pid, TargetSlot slot, std::span<const Mapping> mappings) {
  UnwindSync report;
  std::vector<Placed> placed;
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || is_kernels(mapping) || placed.size() >= DWELL_UNWIND_MAX_MAPPINGS) continue;
    Placed entry{mapping, module_for(pid, mapping, report), 0};
    if (entry.module && entry.module->kind == DWELL_MAPPING_TABLE) {
      std::optional<std::uint64_t> vaddr =
          mapping.is_file() ? entry.module->vaddr_of(mapping.file_offset) : entry.module->base;
      if (vaddr)
        entry.bias = mapping.start - (*vaddr - entry.module->base);
      else
        entry.module = nullptr;  // executable, but no part of the file's code
    }
    placed.push_back(std::move(entry));
  }
  std::sort(placed.begin(), placed.end(),
            [](const Placed& a, const Placed& b) { return a.mapping.start < b.mapping.start; });

  std::unique_ptr<Space>& space = spaces_[slot];
  if (!space) {
    space = std::make_unique<Space>();
    space->generation = 1 + last_generations_[slot];
  }
  space->pid = pid;
  auto same = [](const Placed& a, const Placed& b) { return a.same_code(b); };
  bool unchanged = space->header &&
                   std::equal(placed.begin(), placed.end(), space->placed.begin(), space->placed.end(), same);
  if (!unchanged) {
    // What is gone leaves addresses that can come to mean something else.
    bool lost = std::any_of(space->placed.begin(), space->placed.end(), [&](const Placed& old) {
      auto now = std::lower_bound(placed.begin(), placed.end(), old.mapping.start, [](const Placed& one, std::uint64_t start) {
        return one.mapping.start < start;
      });
      return now == placed.end() || !now->same_code(old);
    });
    if (lost) space->generation++;
    space->placed = std::move(placed);
    // A grace period for each library of two hundred would be most of an attach: take() waits for one when room is short.
    if (!memory_.rows.bound()) reclaim();
    std::uint32_t before = space->header;
    publish(slot, *space);
    if (space->header == before) report.problems.push_back({"", "no room for the list of mappings"});
    report.changed = true;
  }
  report.generation = space->generation;
  return report;
}

void UnwindTables::copy(TargetSlot parent, pid_t child_pid, TargetSlot child) {
  if (!spaces_[parent]) return drop(child);
  drop(child);
  auto space = std::make_unique<Space>();
  space->pid = child_pid;
  space->placed = spaces_[parent]->placed;
  space->generation = 1 + last_generations_[child];
  publish(child, *space);
  spaces_[child] = std::move(space);
}

void UnwindTables::drop(TargetSlot slot) {
  if (!spaces_[slot]) return;
  std::atomic_ref<std::uint64_t>(memory_.spaces.data()[slot]).store(0, std::memory_order_release);
  Space& space = *spaces_[slot];
  retire(Retired::kMappings, space.header, space.published);
  // Stacks of whoever comes next in the slot must not be taken for those of this process.
  last_generations_[slot] = space.generation;
  spaces_[slot] = nullptr;
}

UnwindRule UnwindTables::call_rule_at(TargetSlot slot, std::uint64_t return_address) const {
  if (!spaces_[slot]) return kNoRule;
  std::uint64_t pc = return_address - 1;
  for (const Placed& placed : spaces_[slot]->placed) {
    if (pc < placed.mapping.start || pc >= placed.mapping.end) continue;
    if (!placed.module || placed.module->kind != DWELL_MAPPING_TABLE) return kNoRule;
    const RowsAt& at = placed.module->calls;
    std::span<const dwell_unwind_row> rows(memory_.rows.data() + at.first_row, at.row_count);
    auto after =
        std::upper_bound(rows.begin(), rows.end(), pc - placed.bias,
                         [](std::uint64_t wanted, const dwell_unwind_row& row) { return wanted < row.pc; });
    return after == rows.begin() ? kNoRule : memory_.rules.data()[std::prev(after)->rule];
  }
  return kNoRule;
}

Result<bool> UnwindTables::load_full(TargetSlot slot, std::uint64_t pc) {
  Space* space = spaces_[slot].get();
  if (!space) return Error{fmt::format("full unwind rows for process slot {}: it has no tables", slot), ""};
  for (const Placed& placed : space->placed) {
    if (pc < placed.mapping.start || pc >= placed.mapping.end) continue;
    if (!placed.module || placed.module->kind != DWELL_MAPPING_TABLE) return false;
    Module& module = *placed.module;
    if (module.full_refused || module.full.first_page != DWELL_NO_PAGES) return false;
    module.full_refused = true;
    Result<std::string> path = path_to_open(space->pid, placed.mapping);
    if (!path) return path.error().because_of("full unwind rows of " + module.path);
    Result<UnwindTable> table = build_module_table({*path, {}}, TableRows::kFull);
    if (!table) return table.error().because_of("full unwind rows of " + module.path);
    Result<void> done = place(*table, table->full, module.full);
    if (!done) return done.error().because_of("full unwind rows of " + module.path);
    module.full_refused = false;
    publish(slot, *space);
    return true;
  }
  return false;
}

}  // namespace dwell
