// SPDX-License-Identifier: Apache-2.0
// Finds functions that do nothing but hand the call on to another allocation function: probing those as well
// would cost a second trap and tell nothing new.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "bpf/probe_shapes.h"
#include "symbolizer/elf_file.h"

namespace dwell {

// Names behind the addresses that a module's code calls: its own functions, and imports through the PLT or
// the global offset table.
class CallTargets {
 public:
  explicit CallTargets(const ElfFile& elf);

  // The imported symbol that the code at this address jumps to, if it is such a stub.
  std::optional<std::string> import_at(std::uint64_t vaddr) const;
  // The symbol whose address is in this slot of the global offset table.
  std::optional<std::string> import_in_slot(std::uint64_t slot_vaddr) const;
  // Of the module itself: a function that never returns.
  bool is_own_end(std::uint64_t vaddr) const { return ends_.count(vaddr) != 0; }

 private:
  const ElfFile& elf_;
  std::unordered_map<std::uint64_t, std::string> slots_;
  std::unordered_set<std::uint64_t> ends_;
};

// Ends the program, or its calls by an exception.
bool never_returns(std::string_view function);

// The name of the allocation function of the same kind that every call of the function at `vaddr` reaches
// before it returns. Nothing: it allocates or frees by itself, or that cannot be proven.
// `allocators` are the module's own, by address.
std::optional<std::string> forwards_to(const ElfFile& elf, const CallTargets& targets, std::uint64_t vaddr,
                                       std::uint64_t size, dwell_probe_shape shape,
                                       const std::unordered_map<std::uint64_t, std::pair<std::string, dwell_probe_shape>>& allocators);

// Whether the function rounds a size up: a mask is applied to a whole register.
bool applies_mask(const ElfFile& elf, std::uint64_t vaddr, std::uint64_t size);

// Whether the function calls or jumps to another one that gives out memory, on any way through it.
bool calls_another(const ElfFile& elf, const CallTargets& targets, std::uint64_t vaddr, std::uint64_t size,
                   const std::unordered_map<std::uint64_t, std::pair<std::string, dwell_probe_shape>>& allocators);

}  // namespace dwell
