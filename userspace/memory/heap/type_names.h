// SPDX-License-Identifier: Apache-2.0
// Which C++ class an object is of, told by the pointer to its vtable: by run-time type information, which stripped programs
// have, too.
//
//   object ─▶ vtable address ─▶ functions         vtable[-1] ─▶ type_info: vtable of its own class, pointer to the name
//                                                 vtable[-2]    offset to the whole object: 0, or a little below
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

class TypeNames {
 public:
  // Reads bytes of a mapped file that the process may not have in memory. Empty: they can't be read.
  using FileReader = std::function<std::string(const Mapping& mapping, std::uint64_t address, std::size_t size)>;
  TypeNames(const Target& target, FileReader files);

  static constexpr std::uint32_t kNone = ~0u;
  // Index of the class whose vtable `word` points into; kNone: it is no such pointer.
  std::uint32_t of(std::uint64_t word);
  // Mangled, as the program has it; the program may have chosen it with malice.
  const std::string& mangled(std::uint32_t type) const { return names_[type]; }
  std::size_t size() const { return names_.size(); }

 private:
  const Mapping* data_at(std::uint64_t address) const;
  std::uint32_t look_at(std::uint64_t vtable);
  std::string name_of_type(std::uint64_t type_info);

  const Target& target_;
  FileReader files_;
  std::vector<const Mapping*> data_;  // of files, not executable, in address order
  absl::flat_hash_map<std::uint64_t, std::uint32_t> by_vtable_;
  absl::flat_hash_map<std::string, std::uint32_t> by_name_;
  std::vector<std::string> names_;
};

// Reads the file itself, so that no page of it has to come into the process.
TypeNames::FileReader file_reader(pid_t pid);

}  // namespace dwell::memory::heap
