// SPDX-License-Identifier: Apache-2.0
// What a stack costs the target, by depth: the time of a call with a probe that walks, less the time of the
// same call with a probe that does nothing. All ways take turns in short windows of one run, so that the
// machine's moods meet all of them alike; the median window counts.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "symbolizer/elf_file.h"
#include "symbolizer/proc_maps.h"
#include "unwind_cost.skel.h"
#include "userspace/unwind/unwind_maps.h"
#include "userspace/unwind/unwind_tables.h"

using namespace dwell;

namespace {

constexpr ProcessSlot kSlot = 1;
constexpr int kRounds = 9;
constexpr std::array kDepths = {5, 10, 20, 40, 80, 200};

struct Shared {
  std::atomic<int> depth;
  std::atomic<std::uint64_t> calls;
};

}  // namespace

extern "C" [[gnu::noinline]] void dwell_bench_probed() { __asm__ volatile("nop" ::: "memory"); }

namespace {

// One function a level, so that no two levels share a row: as in real programs, frames are of mixed size and
// lie all over the text.
template <int level>
[[gnu::noinline]] void nest(int depth, std::atomic<std::uint64_t>& calls) {
  char block[16 + level % 7 * 16];
  __asm__ volatile("" ::"r"(block) : "memory");
  if (depth > 0) {
    if constexpr (level > 0) nest<level - 1>(depth - 1, calls);
  } else {
    for (int i = 0; i < 1000; i++) {
      dwell_bench_probed();
      calls.fetch_add(1, std::memory_order_relaxed);
    }
  }
  __asm__ volatile("" ::"r"(block) : "memory");
}

[[noreturn]] void run_target(Shared& shared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  char above[64 * 1024];  // for the copies: so much lies above any stack that is deep in a program
  std::memset(above, 1, sizeof(above));
  __asm__ volatile("" ::"r"(above) : "memory");
  for (;;) nest<255>(shared.depth.load(), shared.calls);
}

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "unwind_cost: {}\n", what);
  std::exit(1);
}

// CPU time, so that it does not matter who else wants the processor.
std::uint64_t cpu_ns(pid_t pid) {
  clockid_t clock;
  timespec now = {};
  if (::clock_getcpuclockid(pid, &clock) == 0) ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000u + static_cast<std::uint64_t>(now.tv_nsec);
}

void pause_ms(long ms) {
  timespec pause = {0, ms * 1000000};
  ::nanosleep(&pause, nullptr);
}

double ns_per_call(pid_t target, Shared& shared) {
  pause_ms(5);
  std::uint64_t calls = shared.calls.load(), begin = cpu_ns(target);
  pause_ms(60);
  std::uint64_t ns = cpu_ns(target) - begin;
  return static_cast<double>(ns) /
         static_cast<double>(std::max<std::uint64_t>(1, shared.calls.load() - calls));
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

std::uint64_t probed_offset(const ElfFile& elf) {
  for (const ElfSymbol& symbol : elf.symbols())
    if (symbol.name == "dwell_bench_probed")
      if (std::optional<std::uint64_t> offset = elf.offset_of_vaddr(symbol.vaddr)) return *offset;
  die("no symbol dwell_bench_probed");
}

struct Way {
  const char* name;
  bpf_program* program;
};

int ignore(void*, void*, std::size_t) noexcept { return 0; }

}  // namespace

int main() {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& shared = *new (memory) Shared{};
  pid_t target = ::fork();
  if (target == 0) run_target(shared);

  Result<std::vector<Mapping>> maps = read_maps(target);
  Result<ElfFile> elf = ElfFile::open("/proc/self/exe");
  if (!maps || !elf) die("cannot read the target");
  UnwindTables tables;
  tables.sync(target, kSlot, *maps);
  unwind_cost* skeleton = unwind_cost::open();
  UnwindMapSizes sizes = tables.sizes_to_load();
  if (!prepare_unwind_maps(*skeleton, sizes)) die("scratch memory (needs root)");
  if (unwind_cost::load(skeleton)) die("load (needs root)");
  if (!tables.bind(unwind_map_fds(*skeleton), sizes)) die("bind");
  ring_buffer* ring = ring_buffer__new(bpf_map__fd(skeleton->maps.events), ignore, nullptr, nullptr);

  const Way ways[] = {{"nothing", skeleton->progs.nothing},
                      {"walk", skeleton->progs.walk},
                      {"kernel walk", skeleton->progs.kernel_walk},
                      {"copy 8 KiB", skeleton->progs.copy_8k},
                      {"copy 32 KiB", skeleton->progs.copy_32k}};
  std::uint64_t offset = probed_offset(*elf);
  fmt::print("{:>6} {:>9} {:>9} {:>9} {:>12} {:>12} {:>12}\n", "frames", "probe ns", "walk ns", "ns/frame",
             "kernel walk", "copy 8 KiB", "copy 32 KiB");
  // A link lasts a whole way: detaching one costs tens of milliseconds.
  std::array<std::array<std::vector<double>, std::size(ways)>, kDepths.size()> times;
  for (int round = 0; round < kRounds; round++) {
    for (std::size_t way = 0; way < std::size(ways); way++) {
      bpf_link* link = bpf_program__attach_uprobe(ways[way].program, false, target, "/proc/self/exe", offset);
      if (!link) die(fmt::format("attach: {}", std::strerror(errno)));
      for (std::size_t depth = 0; depth < kDepths.size(); depth++) {
        shared.depth = kDepths[depth] - 4;  // main, two of the C library, _start
        times[depth][way].push_back(ns_per_call(target, shared));
        ring_buffer__consume(ring);
      }
      bpf_link__destroy(link);
    }
  }
  for (std::size_t depth = 0; depth < kDepths.size(); depth++) {
    auto cost = [&](std::size_t way) {
      std::vector<double> less;  // window by window: both of a round met the same machine
      for (int round = 0; round < kRounds; round++)
        less.push_back(times[depth][way][static_cast<std::size_t>(round)] -
                       times[depth][0][static_cast<std::size_t>(round)]);
      return median(less);
    };
    fmt::print("{:>6} {:>9.0f} {:>9.0f} {:>9.1f} {:>12.0f} {:>12.0f} {:>12.0f}\n", kDepths[depth],
               median(times[depth][0]), cost(1), cost(1) / kDepths[depth], cost(2), cost(3), cost(4));
  }
  ::kill(target, SIGKILL);
  ::waitpid(target, nullptr, 0);
  ring_buffer__free(ring);
  unwind_cost::destroy(skeleton);
}
