// SPDX-License-Identifier: Apache-2.0
// The walk that the BPF programs do, over a stack that a hostile process made and tables that say anything at all. The
// environment behaves as the BPF maps do: what lies outside of them is null.
#include <cstdlib>
#include <memory>
#include <vector>

#include "bpf/unwind_walk.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/memory_bound.h"

namespace {

using dwell::testing::HostileMemory;
using dwell::testing::Input;

struct Environment {
  std::vector<dwell_unwind_mapping> mappings;
  std::vector<dwell_unwind_page> pages;
  std::vector<dwell_unwind_row> rows;
  std::vector<dwell_unwind_rule> rules;
  std::vector<__u64> cache;
  std::vector<dwell_return_probe> return_probes;
  HostileMemory stack;
};

Environment& environment(dwell_walk* w) { return *static_cast<Environment*>(w->env); }

template <typename T>
T* element(std::vector<T>& array, __u32 index) {
  return index < array.size() ? &array[index] : nullptr;
}

template <typename T>
std::vector<T> table(Input& input, std::size_t most) {
  std::vector<T> entries(input.byte() % (most + 1));
  for (T& entry : entries) entry = input.take<T>();
  return entries;
}

}  // namespace

static const dwell_unwind_mapping* dwell_env_mapping(dwell_walk* w, __u32 index) {
  return element(environment(w).mappings, index);
}
static const dwell_unwind_page* dwell_env_page(dwell_walk* w, __u32 index) { return element(environment(w).pages, index); }
static const dwell_unwind_row* dwell_env_row(dwell_walk* w, __u32 index) { return element(environment(w).rows, index); }
static const dwell_unwind_rule* dwell_env_rule(dwell_walk* w, __u32 index) { return element(environment(w).rules, index); }
static long dwell_env_read(dwell_walk* w, void* to, __u32 size, __u64 from) {
  if (size > sizeof w->window) std::abort();  // the window is the largest that anything is read into
  return environment(w).stack.read(from, to, size) ? 0 : -14;
}
static __u64* dwell_env_cached(dwell_walk* w, __u32 index) {
  std::vector<__u64>& cache = environment(w).cache;
  return cache.empty() ? nullptr : &cache[index % cache.size()];
}
static long dwell_env_loop(__u32 times, long (*step)(__u64, void*), void* context) {
  for (__u32 i = 0; i < times; i++)
    if (step(i, context)) return i + 1;
  return times;
}
static int dwell_env_is_generated(dwell_walk* w, __u64 pc) {
  if (pc % 7) return 0;
  w->mapping = {};
  w->mapping.start = pc;
  w->mapping.end = pc + 1;
  w->mapping.kind = DWELL_MAPPING_NO_TABLE;
  return 1;
}
static void dwell_env_return_probes(dwell_walk* w) {
  std::vector<dwell_return_probe>& probes = environment(w).return_probes;
  w->return_probes = static_cast<__u32>(std::min<std::size_t>(probes.size(), DWELL_MAX_RETURN_PROBES));
  std::copy(probes.begin(), probes.begin() + w->return_probes, w->probes);
}

namespace {

struct Outcome {
  __u64 hash;
  __u32 count, end;
  bool operator==(const Outcome&) const = default;
};

Outcome walk_once(Environment& env, const dwell_stack_start& start, const dwell_walk& how, int leftover) {
  auto walk = std::make_unique<dwell_walk>();
  std::memset(static_cast<void*>(walk.get()), leftover, sizeof *walk);  // scratch memory: of the walk before
  walk->env = &env;
  walk->stack_top = how.stack_top;
  walk->trampoline = how.trampoline;
  walk->thread_pointer = how.thread_pointer;
  walk->space = how.space;
  walk->mappings = how.mappings;
  walk->publication = how.publication;
  walk->window_base = walk->window_size = 0;
  dwell_walk_begin(walk.get(), &start, 1);
  int steps = 0;
  while (steps <= DWELL_MAX_FRAMES && !dwell_walk_step(walk.get())) ++steps;
  if (walk->count > DWELL_MAX_FRAMES || walk->end >= DWELL_STACK_ENDS) std::abort();
  return {walk->hash, walk->count, walk->end};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::MemoryBound bound(size, 1 << 20, 16);
  Input input(data, size);
  Environment env;
  dwell_stack_start start = input.take<dwell_stack_start>();
  dwell_walk how{};
  how.stack_top = input.take<__u64>();
  how.trampoline = input.take<__u64>();
  how.thread_pointer = how.trampoline ^ how.stack_top;
  how.space = input.byte() % 4;
  how.mappings = input.take<std::uint16_t>();
  how.publication = input.byte();
  env.mappings = table<dwell_unwind_mapping>(input, 16);
  env.pages = table<dwell_unwind_page>(input, 16);
  env.rows = table<dwell_unwind_row>(input, 64);
  env.rules = table<dwell_unwind_rule>(input, 32);
  env.return_probes = table<dwell_return_probe>(input, 80);
  env.stack.start = start.sp - input.byte();
  env.stack.bytes = input.rest();
  Outcome first = walk_once(env, start, how, 0);
  // What an earlier walk left behind changes nothing.
  if (walk_once(env, start, how, 0xff) != first) std::abort();
  // Neither does the cache of rules, where it holds what this very space was found to have.
  env.cache.assign(1 << 16, 0);
  if (how.publication) {
    walk_once(env, start, how, 0);
    if (walk_once(env, start, how, 0) != first) std::abort();
  }
  return 0;
}
