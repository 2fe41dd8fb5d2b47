// SPDX-License-Identifier: Apache-2.0
// NamedRoots: what holds blocks without being one, by name: global variables, threads, other memory; and which blocks each
// of them points to.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "userspace/memory/reach/dominators.h"
#include "userspace/memory/reach/live_heap.h"
#include "userspace/process/data_symbols.h"

namespace dwell::memory::reach {

enum class RootKind : std::uint8_t {
  kGlobal,       // a variable that has a symbol
  kModuleData,   // a word in the data of a module, without a symbol
  kThreadLocal,  // a thread's own variables, and what the C library keeps for it
  kOtherMemory,  // writable memory that is no heap of ours
  kGenerated,    // instructions
  kStack,        // of a thread, with its registers
  kKernel,       // user data of epoll, timers
};
std::string_view name_of(RootKind kind);

struct Root {
  RootKind kind = RootKind::kGlobal;
  std::uint64_t address = 0;  // of the variable, the word, the mapping
  pid_t tid = 0;              // of a thread's
  auto operator<=>(const Root&) const = default;
};

class NamedRoots {
 public:
  NamedRoots(const LiveHeap& live, WordScan& scan);

  // What stacks, registers and the kernel hold counts only where nothing else holds it: words that are long dead lie on
  // stacks. `marked`: what can be reached at all, in the end.
  void find(const Graph& graph, std::vector<bool>& marked);

  // A word that an earlier look met at an address outside of the heap, and what it leads to now; before find().
  void add_late(std::uint64_t from, std::uint64_t word);

  // After find(): what was seen at that address before leads to the block. Then finish().
  void hold_late(std::uint64_t from, std::uint32_t block);
  // Whether what lies at that address counts only where nothing else holds it.
  bool comes_second(std::uint64_t from) { return root_at(from).kind >= RootKind::kStack; }
  void hold(const RootEdge& edge) { edges_.push_back(edge); }
  void finish();

  const std::vector<Root>& roots() const { return roots_; }
  const std::vector<RootEdge>& edges() const { return edges_; }  // in order of roots
  std::string name(const Root& root);
  // A variable or data of the program itself, not of a library.
  bool is_of_program(const Root& root) const;

 private:
  void scan_range(const heap::Range& range);
  void add_words(std::span<const std::uint64_t> words, std::uint64_t address);
  void scan_code();
  void add(const Root& root, std::uint32_t block);
  std::uint32_t number_of(const Root& root);
  Root root_at(std::uint64_t address);
  Root root_in_module(std::uint64_t address);
  void add_pending(const Graph& graph, std::vector<bool>& marked);
  const ThreadStack* stack_at(std::uint64_t address) const;
  pid_t thread_local_of(std::uint64_t address) const;
  bool is_module_data(const Mapping& mapping) const;
  const Mapping* mapping_at(std::uint64_t address) const;

  const LiveHeap& live_;
  WordScan& scan_;
  DataSymbols symbols_;
  std::map<Root, std::uint32_t> numbers_;
  std::vector<Root> roots_;
  std::vector<RootEdge> edges_, pending_;
  DataObject last_object_;
  std::uint32_t last_ = ~0u;  // root
  std::map<std::uint64_t, pid_t> thread_pointers_;
};

}  // namespace dwell::memory::reach
