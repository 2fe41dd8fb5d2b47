// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/remote_unwinder.h"

#include <algorithm>
#include <cstring>

#include "bpf/unwind_walk.h"

namespace {

// What the walk asks for, from a TableMemory and a MemoryReader instead of BPF maps and helpers.
struct HostEnvironment {
  const dwell::TableMemory& memory;
  const dwell::MemoryReader& read;
  std::span<const dwell_return_probe> return_probes;
};

HostEnvironment& environment(dwell_walk* w) { return *static_cast<HostEnvironment*>(w->env); }

template <typename T>
const T* element(const dwell::TableArray<T>& array, std::uint32_t index) {
  return index < array.used() ? array.data() + index : nullptr;
}

}  // namespace

static const dwell_unwind_mapping* dwell_env_mapping(dwell_walk* w, __u32 index) {
  return element(environment(w).memory.mappings, index);
}
static const dwell_unwind_page* dwell_env_page(dwell_walk* w, __u32 index) {
  return element(environment(w).memory.pages, index);
}
static const dwell_unwind_row* dwell_env_row(dwell_walk* w, __u32 index) {
  return element(environment(w).memory.rows, index);
}
static const dwell_unwind_rule* dwell_env_rule(dwell_walk* w, __u32 index) {
  return element(environment(w).memory.rules, index);
}
static long dwell_env_read(dwell_walk* w, void* to, __u32 size, __u64 from) {
  return environment(w).read(from, to, size) ? 0 : -1;
}
static __u64* dwell_env_cached(dwell_walk*, __u32) { return nullptr; }
static long dwell_env_loop(__u32 times, long (*step)(__u64, void*), void* context) {
  for (__u32 i = 0; i < times; i++)
    if (step(i, context)) return i + 1;
  return times;
}
static int dwell_env_is_generated(dwell_walk*, __u64) { return 0; }  // its tables are of this moment
static void dwell_env_return_probes(dwell_walk* w) {
  std::span<const dwell_return_probe> probes = environment(w).return_probes;
  w->return_probes = static_cast<__u32>(std::min<std::size_t>(probes.size(), DWELL_MAX_RETURN_PROBES));
  std::copy(probes.begin(), probes.begin() + w->return_probes, w->probes);
}

namespace dwell {

RemoteStack walk_stack(const TableMemory& memory, std::uint32_t slot, const dwell_stack_start& start,
                       const MemoryReader& read, std::uint64_t trampoline,
                       std::span<const dwell_return_probe> return_probes, std::uint64_t readable_to,
                       std::uint64_t thread_pointer) {
  HostEnvironment host{memory, read, return_probes};
  auto walk = std::make_unique<dwell_walk>();
  walk->env = &host;
  walk->stack_top = readable_to;
  walk->trampoline = trampoline;
  walk->thread_pointer = thread_pointer;
  if (std::uint64_t index = memory.spaces.data()[slot]) {
    dwell_unwind_space header;
    std::memcpy(&header, memory.mappings.data() + index, sizeof(header));
    walk->space = static_cast<__u32>(index) + 1;
    walk->mappings = header.count;
  }
  walk->window_base = walk->window_size = 0;
  dwell_walk_begin(walk.get(), &start, 0);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> registers;  // sp and bp of each frame
  for (int i = 0; i < DWELL_MAX_STEPS; i++) {
    if (walk->count == registers.size()) registers.emplace_back(walk->sp, walk->bp);
    if (dwell_walk_step(walk.get())) break;
  }

  RemoteStack stack;
  stack.end = static_cast<dwell_stack_end>(walk->end);
  for (__u32 i = 0; i < walk->count; i++) {
    bool exact = dwell_record(walk.get())->exact[i / 64] >> (i % 64) & 1;
    auto [sp, bp] = i < registers.size() ? registers[i] : std::pair<std::uint64_t, std::uint64_t>();
    stack.frames.push_back({walk->pcs[i], exact, sp, bp});
  }
  return stack;
}

RemoteUnwinder RemoteUnwinder::create(pid_t pid, std::span<const Mapping> mappings) {
  UnwindOptions options;
  options.full_rows = true;
  UnwindTables tables(options);
  UnwindSync sync = tables.sync(pid, 0, mappings);
  RemoteUnwinder unwinder(std::move(tables));
  unwinder.problems_ = std::move(sync.problems);
  return unwinder;
}

RemoteStack RemoteUnwinder::unwind(const ThreadRegisters& registers, const MemoryReader& read) const {
  dwell_stack_start start = {};
  start.pc = registers.pc;
  start.sp = registers.sp;
  start.bp = registers.bp;
  start.flags = registers.exact ? DWELL_PC_EXACT : 0;
  return walk_stack(tables_.memory(), 0, start, read, 0, {}, registers.readable_to, registers.thread_pointer);
}

}  // namespace dwell
