// SPDX-License-Identifier: Apache-2.0
// Walks the stack of a live process at every call of one function, tells how many walks were complete and
// what they cost, and compares some of them with gdb's at the same stop.
//
//   prove_stacks --pid PID --symbol malloc [--module PART-OF-PATH] [--seconds 3] [--gdb 200] [--return]
//                [--hold SYMBOL]... [--warm-up 0] [--min-complete 99.5] [--dump N]
//
// Stacks of the warm-up do not count: in it, tables arrive that only interrupted code needs.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "bpf/events.h"
#include "stacks.skel.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/proc_maps.h"
#include "userspace/unwind/unwind_maps.h"
#include "userspace/unwind/unwind_tables.h"

using namespace dwell;

namespace {

constexpr std::uint8_t kSlot = 1;
const char* const kEnds[DWELL_STACK_ENDS] = {"complete",    "too deep",    "no mapping",
                                             "no rule",     "unsupported", "read failed",
                                             "not growing", "async",       "table pending", "folded"};

struct Arguments {
  pid_t pid = 0;
  std::string symbol = "malloc", module;
  std::vector<std::string> hold;
  double seconds = 3, warm_up = 0, min_complete = 99.5;
  int gdb = 0;
  int dump = 0;
  bool at_return = false;
};

struct SeenStack {
  std::uint32_t end;
  std::vector<std::uint64_t> pcs;
};

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "prove_stacks: {}\n", what);
  std::exit(1);
}

Arguments parse(int argc, char** argv) {
  Arguments args;
  for (int i = 1; i < argc; i++) {
    std::string name = argv[i];
    auto value = [&]() -> std::string {
      if (i + 1 >= argc) die(name + " needs a value");
      return argv[++i];
    };
    if (name == "--pid")
      args.pid = std::stoi(value());
    else if (name == "--symbol")
      args.symbol = value();
    else if (name == "--module")
      args.module = value();
    else if (name == "--hold")
      args.hold.push_back(value());
    else if (name == "--seconds")
      args.seconds = std::stod(value());
    else if (name == "--warm-up")
      args.warm_up = std::stod(value());
    else if (name == "--min-complete")
      args.min_complete = std::stod(value());
    else if (name == "--gdb")
      args.gdb = std::stoi(value());
    else if (name == "--dump")
      args.dump = std::stoi(value());
    else if (name == "--return")
      args.at_return = true;
    else
      die("unknown option " + name);
  }
  if (args.pid <= 0) die("--pid is needed");
  return args;
}

struct ProbePlace {
  std::string path;
  std::uint64_t offset;
};

ProbePlace find_symbol(pid_t pid, const std::vector<Mapping>& maps, const std::string& symbol,
                       const std::string& part_of_path) {
  for (const Mapping& mapping : maps) {
    if (!mapping.executable || !mapping.is_file()) continue;
    if (!part_of_path.empty() && mapping.path.find(part_of_path) == std::string::npos) continue;
    Result<std::string> path = path_to_open(pid, mapping);
    if (!path) continue;
    Result<ElfFile> elf = ElfFile::open(*path);
    if (!elf) continue;
    for (const ElfSymbol& candidate : elf->symbols()) {
      if (candidate.name != symbol || !candidate.defined || candidate.vaddr == 0) continue;
      if (std::optional<std::uint64_t> offset = elf->offset_of_vaddr(candidate.vaddr))
        return {*path, *offset};
    }
  }
  die(fmt::format("no function {} in process {}", symbol, pid));
}

class Prover {
 public:
  explicit Prover(Arguments args) : args_(std::move(args)) {}

  int run() {
    load();
    attach();
    if (args_.warm_up > 0) {
      collect_for(args_.warm_up);
      forget_counts();
    }
    collect_for(args_.seconds);
    if (args_.gdb) compare_with_gdb();
    for (bpf_link* link : links_) bpf_link__destroy(link);
    drain();
    bool good = report();
    ring_buffer__free(ring_);
    stacks_bpf_destroy();
    return good ? 0 : 1;
  }

 private:
  void load() {
    Result<std::vector<Mapping>> maps = read_maps(args_.pid);
    if (!maps) die(maps.error().what);
    maps_ = *maps;
    auto begin = std::chrono::steady_clock::now();
    UnwindSync sync = tables_.sync(args_.pid, kSlot, maps_);
    double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    for (const UnwindProblem& problem : sync.problems)
      fmt::print("  note: {}: {}\n", problem.path, problem.reason);
    skeleton_ = stacks::open();
    if (!skeleton_) die("open BPF object");
    UnwindMapSizes sizes = tables_.sizes_to_load();
    if (Result<void> ready = prepare_unwind_maps(*skeleton_, sizes); !ready) die(ready.error().what);
    skeleton_->rodata->process = kSlot;
    if (stacks::load(skeleton_)) die("load BPF object");
    if (Result<void> bound = tables_.bind(unwind_map_fds(*skeleton_), sizes); !bound) die(bound.error().what);
    fmt::print("  tables: {} modules ({} cached), {} rows, {:.1f} ms\n", sync.modules_loaded,
               sync.modules_from_cache, tables_.rows_used(), ms);
    ring_ = ring_buffer__new(bpf_map__fd(skeleton_->maps.events), on_record, this, nullptr);
    if (!ring_) die("ring buffer");
  }

  void attach_one(bpf_program* program, const std::string& symbol, bool at_return) {
    ProbePlace place = find_symbol(args_.pid, maps_, symbol, args_.module);
    bpf_link* link =
        bpf_program__attach_uprobe(program, at_return, args_.pid, place.path.c_str(), place.offset);
    if (!link) die(fmt::format("attach to {} at {:#x}: {}", place.path, place.offset, std::strerror(errno)));
    links_.push_back(link);
  }

  void attach() {
    for (const std::string& symbol : args_.hold) attach_one(skeleton_->progs.hold_return, symbol, true);
    attach_one(args_.at_return ? skeleton_->progs.at_return : skeleton_->progs.at_entry, args_.symbol,
               args_.at_return);
  }

  static int on_record(void* self, void* data, std::size_t size) noexcept {
    static_cast<Prover*>(self)->take(*static_cast<dwell_stack_record*>(data), size);
    return 0;
  }

  void take(const dwell_stack_record& record, std::size_t size) {
    if (record.h.type != DWELL_STACK || size < sizeof(record) + record.count * 8) return;
    seen_[record.stack] = {record.end, {record.pcs, record.pcs + record.count}};
    if (record.end == DWELL_STACK_ASYNC && record.count) {
      Result<bool> loaded = tables_.load_full(kSlot, record.pcs[record.count - 1]);
      if (!loaded) fmt::print("  note: full table: {}\n", loaded.error().what);
    }
    if (record.end == DWELL_STACK_NO_MAPPING && record.count) stale_ = true;
  }

  void drain() {
    ring_buffer__consume(ring_);
    if (!stale_) return;
    stale_ = false;
    if (Result<std::vector<Mapping>> maps = read_maps(args_.pid)) {
      maps_ = *maps;
      tables_.sync(args_.pid, kSlot, maps_);
    }
  }

  void collect_for(double seconds) {
    auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < end && ::kill(args_.pid, 0) == 0) {
      ring_buffer__poll(ring_, 20);
      drain();
    }
  }

  void forget_counts() {
    int fd = bpf_map__fd(skeleton_->maps.hits);
    std::vector<std::uint64_t> keys;
    std::uint64_t key;
    for (void* previous = nullptr; bpf_map_get_next_key(fd, previous, &key) == 0; previous = &key)
      keys.push_back(key);
    for (std::uint64_t stack : keys) bpf_map_delete_elem(fd, &stack);
    std::vector<std::uint64_t> zeros(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (__u32 i = 0; i < bpf_map__max_entries(skeleton_->maps.times); i++)
      bpf_map_update_elem(bpf_map__fd(skeleton_->maps.times), &i, zeros.data(), BPF_ANY);
  }

  // ---- gdb ----

  void compare_with_gdb() {
    char folder[] = "/tmp/prove_stacks.XXXXXX";
    if (!::mkdtemp(folder)) die("temporary folder");
    std::string out = std::string(folder) + "/stacks";
    ::setenv("PID", std::to_string(args_.pid).c_str(), 1);
    ::setenv("STOPS", std::to_string(args_.gdb).c_str(), 1);
    ::setenv("OUT", out.c_str(), 1);
    std::fflush(stdout);
    pid_t gdb = ::fork();
    if (gdb == 0) {
      if (!::freopen("/dev/null", "w", stdout) || !::freopen("/dev/null", "r", stdin)) ::_exit(1);
      ::execlp("gdb", "gdb", "-nx", "-batch", "-x", GDB_SCRIPT, nullptr);
      ::_exit(127);
    }
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(240);
    bool stopping = false;
    int status = 0;
    if (Result<std::vector<Mapping>> maps = read_maps(args_.pid))
      maps_ = *maps;  // with the kernel's own page
    while (::waitpid(gdb, &status, WNOHANG) == 0) {
      ring_buffer__poll(ring_, 20);
      drain();
      if (!stopping && ::access((out + ".ready").c_str(), F_OK) == 0) {
        stopping = true;
        skeleton_->bss->stop_limit = static_cast<__u32>(args_.gdb);
        skeleton_->bss->stop_every = 7;  // coprime to the loops of a load: stops at every place in them
      }
      if (std::chrono::steady_clock::now() > deadline) ::kill(gdb, SIGTERM);
    }
    skeleton_->bss->stop_every = 0;
    drain();
    read_gdb(out);
    ::unlink(out.c_str());
    ::unlink((out + ".ready").c_str());
    ::rmdir(folder);
  }

  void read_gdb(const std::string& path) {
    std::map<std::uint32_t, std::vector<std::uint64_t>> stops;  // by thread, oldest first
    __u32 count = std::min<__u32>(skeleton_->bss->stop_count, 4096);
    struct {
      std::uint64_t stack;
      std::uint32_t tid, unused;
    } stop;
    for (__u32 i = 0; i < count; i++)
      if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.stops), &i, &stop) == 0)
        stops[stop.tid].push_back(stop.stack);

    std::map<std::uint32_t, std::size_t> next;
    std::ifstream lines(path);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::uint32_t tid = 0;
      words >> tid >> std::hex;
      std::vector<std::uint64_t> pcs;
      for (std::uint64_t pc; words >> pc;) pcs.push_back(pc);
      if (next[tid] >= stops[tid].size()) continue;  // the target's own signal
      compare(stops[tid][next[tid]++], pcs);
    }
  }

  void compare(std::uint64_t stack, std::vector<std::uint64_t> theirs) {
    auto found = seen_.find(stack);
    if (found == seen_.end() || theirs.empty()) {
      unknown_++;
      return;
    }
    if (!args_.at_return) theirs.erase(theirs.begin());  // the probed function itself
    compared_++;
    const std::vector<std::uint64_t>& ours = found->second.pcs;
    if (ours == theirs) {
      equal_++;
      return;
    }
    // In generated code, which nothing describes, gdb guesses and we follow the frame pointer: from there on
    // there is nothing to compare with.
    std::size_t same = 0;
    while (same < ours.size() && same < theirs.size() && ours[same] == theirs[same]) same++;
    if (same > 0 && tables_.call_rule_at(kSlot, ours[same - 1]) == kNoRule) {
      equal_to_generated_++;
      return;
    }
    // gdb takes the trampoline of a pending return probe for a frame, and loses its way behind it.
    if (same < theirs.size() && is_trampoline(theirs[same])) {
      equal_to_trampoline_++;
      return;
    }
    // A function that makecontext() started returns into the C library, and nothing called that. gdb takes
    // the words above for a frame, in no code at all.
    if (same == ours.size() && found->second.end == DWELL_STACK_COMPLETE && !is_code(theirs[same])) {
      equal_to_end_++;
      return;
    }
    if (different_++ < 5) show_difference(found->second, theirs);
  }

  void show_difference(const SeenStack& ours, const std::vector<std::uint64_t>& theirs) const {
    fmt::print("  DIFFERENT: ours {} frames ({}), gdb {} frames\n", ours.pcs.size(), kEnds[ours.end],
               theirs.size());
    std::size_t same = 0;
    while (same < ours.pcs.size() && same < theirs.size() && ours.pcs[same] == theirs[same]) same++;
    for (std::size_t i = same > 1 ? same - 2 : 0;
         i < std::max(ours.pcs.size(), theirs.size()) && i < same + 4; i++)
      fmt::print("    {:3}  {:<52} {}\n", i, i < ours.pcs.size() ? place(ours.pcs[i]) : "-",
                 i < theirs.size() ? place(theirs[i]) : "-");
  }

  // The kernel maps it with the first return probe, which may be another tool's and later than our look at the maps.
  bool is_trampoline(std::uint64_t pc) const {
    Result<std::vector<Mapping>> now = read_maps(args_.pid);
    return now && std::any_of(now->begin(), now->end(), [&](const Mapping& mapping) {
      return mapping.path == "[uprobes]" && pc >= mapping.start && pc < mapping.end;
    });
  }

  bool is_code(std::uint64_t pc) const {
    return std::any_of(maps_.begin(), maps_.end(), [&](const Mapping& mapping) {
      return mapping.executable && pc >= mapping.start && pc < mapping.end;
    });
  }

  std::string place(std::uint64_t pc) const {
    for (const Mapping& mapping : maps_)
      if (pc >= mapping.start && pc < mapping.end)
        return fmt::format("{}+{:#x}", mapping.path.substr(mapping.path.rfind('/') + 1),
                           pc - mapping.start + mapping.file_offset);
    return fmt::format("{:#x}", pc);
  }

  // ---- the report ----

  std::uint64_t percentile(const std::vector<std::uint64_t>& buckets, std::uint64_t total,
                           double share) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < buckets.size(); i++) {
      sum += buckets[i];
      if (sum >= static_cast<std::uint64_t>(static_cast<double>(total) * share)) return i * 10 + 5;
    }
    return buckets.size() * 10;
  }

  std::vector<std::uint64_t> time_buckets() const {
    int fd = bpf_map__fd(skeleton_->maps.times);
    std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    std::vector<std::uint64_t> buckets(bpf_map__max_entries(skeleton_->maps.times));
    for (__u32 i = 0; i < buckets.size(); i++)
      if (bpf_map_lookup_elem(fd, &i, per_cpu.data()) == 0)
        for (std::uint64_t count : per_cpu) buckets[i] += count;
    return buckets;
  }

  std::uint64_t losses() const {
    std::vector<dwell_loss_count> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    std::uint64_t lost = 0;
    for (__u32 kind = 0; kind < DWELL_LOST_KINDS; kind++)
      if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.losses), &kind, per_cpu.data()) == 0)
        for (const dwell_loss_count& loss : per_cpu) lost += loss.count;
    return lost;
  }

  bool report() {
    int fd = bpf_map__fd(skeleton_->maps.hits);
    std::uint64_t total = 0, frames = 0, identities = 0, unsent = 0;
    std::uint64_t ends[DWELL_STACK_ENDS] = {};
    std::uint64_t key = 0, count;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> incomplete;
    for (void* previous = nullptr; bpf_map_get_next_key(fd, previous, &key) == 0; previous = &key) {
      if (bpf_map_lookup_elem(fd, &key, &count)) continue;
      total += count;
      auto found = seen_.find(key);
      if (found == seen_.end()) {
        unsent += count;
        continue;
      }
      identities++;
      frames += count * found->second.pcs.size();
      ends[found->second.end] += count;
      if (found->second.end != DWELL_STACK_COMPLETE) incomplete.emplace_back(count, key);
    }
    if (total == 0) die("the function was never called");
    double complete = 100.0 * static_cast<double>(ends[DWELL_STACK_COMPLETE]) / static_cast<double>(total);
    double depth = static_cast<double>(frames) / static_cast<double>(total);
    std::vector<std::uint64_t> buckets = time_buckets();
    std::uint64_t p50 = percentile(buckets, total, 0.5), p99 = percentile(buckets, total, 0.99);
    fmt::print("  stacks {} ({} distinct), {:.1f} frames each, complete {:.4f}%, lost {}\n", total,
               identities, depth, complete, losses());
    fmt::print("  walk p50 {} ns, p99 {} ns, {:.1f} ns a frame\n", p50, p99,
               static_cast<double>(p50) / depth);
    for (int end = 1; end < DWELL_STACK_ENDS; end++)
      if (ends[end]) fmt::print("  {}: {}\n", kEnds[end], ends[end]);
    if (unsent) fmt::print("  without frames: {}\n", unsent);
    dump(incomplete);
    if (args_.gdb)
      fmt::print(
          "  gdb: {} stops compared, {} equal, {} equal down to generated code, {} down to a return probe, "
          "{} to "
          "where gdb goes on into data, {} different, {} not seen by both\n",
          compared_, equal_, equal_to_generated_, equal_to_trampoline_, equal_to_end_, different_, unknown_);
    int agreed = equal_ + equal_to_generated_ + equal_to_trampoline_ + equal_to_end_;
    bool enough = agreed >= args_.gdb * 9 / 10;
    return complete >= args_.min_complete && different_ == 0 && enough;
  }

  void dump(std::vector<std::pair<std::uint64_t, std::uint64_t>>& incomplete) {
    std::sort(incomplete.rbegin(), incomplete.rend());
    for (std::size_t i = 0; i < incomplete.size() && i < static_cast<std::size_t>(args_.dump); i++) {
      const SeenStack& stack = seen_[incomplete[i].second];
      fmt::print("  {} x {}:\n", incomplete[i].first, kEnds[stack.end]);
      for (std::size_t f = stack.pcs.size() > 6 ? stack.pcs.size() - 6 : 0; f < stack.pcs.size(); f++)
        fmt::print("    {:3} {:x} {}\n", f, stack.pcs[f], place(stack.pcs[f]));
    }
  }

  void stacks_bpf_destroy() { stacks::destroy(skeleton_); }

  Arguments args_;
  std::vector<Mapping> maps_;
  UnwindTables tables_;
  stacks* skeleton_ = nullptr;
  ring_buffer* ring_ = nullptr;
  std::vector<bpf_link*> links_;
  std::unordered_map<std::uint64_t, SeenStack> seen_;
  bool stale_ = false;
  int compared_ = 0, equal_ = 0, equal_to_generated_ = 0, equal_to_end_ = 0, equal_to_trampoline_ = 0,
      different_ = 0, unknown_ = 0;
};

}  // namespace

int main(int argc, char** argv) { return Prover(parse(argc, argv)).run(); }
