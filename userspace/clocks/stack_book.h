// SPDX-License-Identifier: Apache-2.0
// StackBook: the stacks that the BPF programs have sent, and what their frames are called. For a look at a
// process that lives; a recording keeps its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "bpf/events.h"
#include "symbolizer/proc_maps.h"
#include "symbolizer/symbolizer.h"
#include "userspace/clocks/report.h"
#include "userspace/recording/ids.h"

namespace dwell {

class StackBook {
 public:
  StackBook(pid_t pid, std::vector<Mapping> mappings) : pid_(pid), mappings_(std::move(mappings)) {}

  // A dwell_stack_record as it came; false if it is none.
  bool learn(const void* data, std::size_t size);
  void mappings_are(std::vector<Mapping> mappings) { mappings_ = std::move(mappings); }

  // Where the frames are that make a call frame's identity, leaf first; empty if the stack was never seen.
  std::span<const std::uint64_t> pcs(std::uint64_t stack) const;

  StackId id_of(std::uint64_t identity);
  // Every stack that has been given an id is looked up with the first that is asked for.
  const NamedStack& name(StackId id);

 private:
  std::map<std::uint64_t, NamedStack> name_all(std::span<const std::uint64_t> stacks) const;
  struct Walked {
    std::vector<std::uint64_t> pcs;
    std::vector<bool> exact;
    dwell_stack_end end;
  };
  const Mapping* mapping_of(std::uint64_t pc) const;
  ModuleRef module_of(const Mapping& mapping) const;

  pid_t pid_;
  std::vector<Mapping> mappings_;
  std::unordered_map<std::uint64_t, Walked> stacks_;
  std::vector<std::uint64_t> identities_{0};  // by id
  std::unordered_map<std::uint64_t, StackId> ids_;
  std::map<std::uint64_t, NamedStack> names_;
};

}  // namespace dwell
