// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/named_roots.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/memory/reach/roots.h"
#include "userspace/memory/reach/shared_pages.h"

namespace dwell::memory::reach {
namespace {

// Around a thread pointer: variables below it, of as many bytes as the C library always keeps free for libraries that come
// later; the thread's descriptor from it on.
constexpr std::uint64_t kBelowPointer = 1664, kDescriptor = 2304;

bool is_second(RootKind kind) { return kind >= RootKind::kStack; }

}  // namespace

std::string_view name_of(RootKind kind) {
  switch (kind) {
    case RootKind::kGlobal:
      return "global";
    case RootKind::kModuleData:
      return "module_data";
    case RootKind::kThreadLocal:
      return "thread_local";
    case RootKind::kOtherMemory:
      return "other_memory";
    case RootKind::kGenerated:
      return "generated_code";
    case RootKind::kStack:
      return "stack";
    default:
      return "kernel";
  }
}

NamedRoots::NamedRoots(const LiveHeap& live, WordScan& scan)
    : live_(live), scan_(scan), symbols_(live.target().memory.pid(), live.target().mappings) {
  for (const ThreadRegisters& thread : live.threads())
    if (!thread.words.empty()) thread_pointers_[thread.words.back()] = thread.tid;
}

void NamedRoots::find(const Graph& graph, std::vector<bool>& marked) {
  for (const heap::Range& range : live_.root_ranges()) scan_range(range);
  for_each_shared_word(live_.target().memory.pid(), live_.uses(), [&](std::span<const std::uint64_t> words, std::uint64_t address) { add_words(words, address); });
  scan_code();
  for (const RootEdge& edge : edges_) graph.mark(edge.block, marked);
  for (const ThreadRegisters& thread : live_.threads())
    for (std::uint64_t word : thread.words) add({RootKind::kStack, 0, thread.tid}, live_.index().find(word));
  for (std::uint64_t word : kernel_words(live_.target().memory.pid())) add({RootKind::kKernel}, live_.index().find(word));
  add_pending(graph, marked);
  finish();
}

void NamedRoots::finish() {
  auto order = [](const RootEdge& a, const RootEdge& b) {
    return std::tie(a.root, a.block) < std::tie(b.root, b.block);
  };
  std::ranges::sort(edges_, order);
  auto same = [](const RootEdge& a, const RootEdge& b) { return a.root == b.root && a.block == b.block; };
  auto rest = std::ranges::unique(edges_, same);
  edges_.erase(rest.begin(), rest.end());
}

void NamedRoots::add_late(std::uint64_t from, std::uint64_t word) {
  if (from && !live_.index().is_in_heap(from)) add(root_at(from), live_.index().find(word));
}

void NamedRoots::hold_late(std::uint64_t from, std::uint32_t block) {
  hold({number_of(root_at(from)), block});
}

void NamedRoots::scan_range(const heap::Range& range) {
  scan_.range(range.start, range.end, [&](std::span<const std::uint64_t> words, std::uint64_t address) { add_words(words, address); });
}

void NamedRoots::add_words(std::span<const std::uint64_t> words, std::uint64_t address) {
  for (std::size_t i = 0; i < words.size(); ++i)
    if (std::uint32_t block = live_.index().find(words[i]); block != BlockIndex::kNone) add(root_at(address + 8 * i), block);
}

void NamedRoots::scan_code() {
  for (const heap::Range& range : generated_code(live_.uses()))
    for (std::uint32_t block : roots_in_code({range}, live_.index(), scan_))
      add({RootKind::kGenerated, range.start}, block);
}

std::uint32_t NamedRoots::number_of(const Root& root) {
  if (last_ < roots_.size() && roots_[last_] == root) return last_;
  auto [known, fresh] = numbers_.try_emplace(root, static_cast<std::uint32_t>(roots_.size()));
  if (fresh) roots_.push_back(root);
  return known->second;
}

void NamedRoots::add(const Root& root, std::uint32_t block) {
  if (block == BlockIndex::kNone) return;
  last_ = number_of(root);
  std::vector<RootEdge>& edges = is_second(root.kind) ? pending_ : edges_;
  if (edges.empty() || edges.back().root != last_ || edges.back().block != block)
    edges.push_back({last_, block});
}

void NamedRoots::add_pending(const Graph& graph, std::vector<bool>& marked) {
  std::vector<RootEdge> alone;
  for (const RootEdge& edge : pending_)
    if (!marked[edge.block]) alone.push_back(edge);
  for (const RootEdge& edge : alone) graph.mark(edge.block, marked);
  edges_.insert(edges_.end(), alone.begin(), alone.end());
  pending_ = {};
}

const Mapping* NamedRoots::mapping_at(std::uint64_t address) const {
  const std::vector<Mapping>& mappings = live_.target().mappings;
  auto after = std::ranges::upper_bound(mappings, address, {}, &Mapping::start);
  return after == mappings.begin() || address >= (after - 1)->end ? nullptr : &*(after - 1);
}

// Zeroed data lies behind the last piece of its file.
bool NamedRoots::is_module_data(const Mapping& mapping) const {
  if (mapping.is_file()) return !mapping.shared;
  if (&mapping == live_.target().mappings.data() || !mapping.path.empty()) return false;
  const Mapping& before = *(&mapping - 1);
  return before.is_file() && before.writable && !before.shared && before.end == mapping.start;
}

bool NamedRoots::is_of_program(const Root& root) const {
  const Mapping* mapping = root.kind <= RootKind::kModuleData ? mapping_at(root.address) : nullptr;
  if (!mapping || !is_module_data(*mapping)) return false;
  const std::vector<Mapping>& mappings = live_.target().mappings;
  const Mapping& of_file = mapping->is_file() ? *mapping : *(mapping - 1);
  return of_file.path == mappings.front().path;
}

Root NamedRoots::root_at(std::uint64_t address) {
  if (pid_t tid = thread_local_of(address)) return {RootKind::kThreadLocal, 0, tid};
  if (const ThreadStack* stack = stack_at(address)) return {RootKind::kStack, stack->tid ? 0 : stack->range.start, stack->tid};
  const Mapping* mapping = mapping_at(address);
  if (mapping && is_module_data(*mapping)) return root_in_module(address);
  return {RootKind::kOtherMemory, mapping ? mapping->start : address};
}

Root NamedRoots::root_in_module(std::uint64_t address) {
  if (address - last_object_.start < last_object_.size) return {RootKind::kGlobal, last_object_.start};
  if (std::optional<DataObject> object = symbols_.object_around(address)) {
    last_object_ = std::move(*object);
    return {RootKind::kGlobal, last_object_.start};
  }
  return {RootKind::kModuleData, address};
}

const ThreadStack* NamedRoots::stack_at(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(live_.stacks(), address, {}, [](const ThreadStack& stack) { return stack.range.start; });
  return after == live_.stacks().begin() || address >= (after - 1)->range.end ? nullptr : &*(after - 1);
}

pid_t NamedRoots::thread_local_of(std::uint64_t address) const {
  auto above = thread_pointers_.upper_bound(address);
  if (above != thread_pointers_.end() && above->first - address <= kBelowPointer) return above->second;
  if (above == thread_pointers_.begin() || address - std::prev(above)->first >= kDescriptor) return 0;
  return std::prev(above)->second;
}

std::string NamedRoots::name(const Root& root) {
  auto thread = [&] {
    pid_t pid = live_.target().memory.pid();
    Result<std::string> text = read_file(fmt::format("/proc/{}/task/{}/comm", pid, root.tid));
    std::string comm = text ? text->substr(0, text->find('\n')) : "";
    return fmt::format("thread {} ({})", comm, root.tid);
  };
  const Mapping* mapping = mapping_at(root.address);
  switch (root.kind) {
    case RootKind::kGlobal:
      return symbols_.describe(root.address);
    case RootKind::kModuleData:
      return symbols_.place_in_module(root.address);
    case RootKind::kThreadLocal:
      return "thread-local data of " + thread();
    case RootKind::kOtherMemory:
      return fmt::format("memory at {:#x}{}", root.address, mapping && !mapping->path.empty() ? " " + mapping->path : "");
    case RootKind::kGenerated:
      return fmt::format("code at {:#x}", root.address);
    case RootKind::kStack:
      return root.tid ? "stack of " + thread() : fmt::format("stack at {:#x}", root.address);
    default:
      return "the kernel (epoll, timers)";
  }
}

}  // namespace dwell::memory::reach
