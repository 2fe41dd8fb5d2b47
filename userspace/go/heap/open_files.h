// SPDX-License-Identifier: Apache-2.0
// GoOpenFiles: how many files a Go program has open by its own account. Each os.File that is open has a
// finalizer that closes it, and the runtime lists those; no probe is needed. Not seen: descriptors without an
// os.File (package syscall, connections).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>

namespace dwell {

// Descriptors by the address of their os.file; without the first three.
using GoFileSet = absl::flat_hash_map<std::uint64_t, std::int64_t>;

struct GoOpenFiles {
  std::uint64_t count = 0;                            // at the last look
  std::uint64_t count_before = 0, count_between = 0;  // at the first, and at the one before the last
  std::uint64_t closed = 0;                           // of those at the first look
  std::uint64_t since_ns = 0;                         // from the first look to the last; 0: there was one
  std::uint64_t held = 0, holder = 0;  // most of them that one global variable leads to, and its address
};

// Pure. The last of several looks held against the first and the one before it.
GoOpenFiles open_files_since(const GoFileSet& first, std::uint64_t between, const GoFileSet& last,
                             std::uint64_t since_ns);

// Pure. Worth one more look: there are many, and now more.
bool files_seem_to_grow(const GoOpenFiles& files);
// From each of three looks to the next, and next to none was closed.
bool files_grow(const GoOpenFiles& files);

inline constexpr std::uint64_t kManyOpenFiles = 50;

}  // namespace dwell
