// SPDX-License-Identifier: Apache-2.0
// TableMemory: the arrays of bpf/unwind_tables.h, and who owns which part of them.
//
// Until it is bound to BPF maps the arrays are ordinary memory and grow as needed: that is how the maps'
// sizes are found before the programs are loaded. Bound, they are the maps' own memory and have the size
// that the maps were given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "bpf/unwind_tables.h"
#include "userspace/base/result.h"

namespace dwell {

// Hands out ranges of indices: first fit, neighbours joined again.
class RangeAllocator {
 public:
  explicit RangeAllocator(std::uint32_t first) : end_(first) {}

  // Null: there is no such range below `capacity`.
  std::optional<std::uint32_t> allocate(std::uint32_t count, std::uint32_t capacity);
  void free(std::uint32_t begin, std::uint32_t count);
  std::uint32_t end() const { return end_; }  // nothing at or above it is in use

 private:
  std::map<std::uint32_t, std::uint32_t> holes_;  // begin -> count
  std::uint32_t end_;
};

// One array: private memory that grows, or a BPF map's memory that does not.
template <typename T>
class TableArray {
 public:
  // Index `first` is the lowest that is handed out: index 0 means "none" in some arrays.
  explicit TableArray(std::uint32_t first) : allocator_(first), own_(first) { data_ = own_.data(); }
  TableArray(TableArray&& other) noexcept;
  TableArray& operator=(TableArray&&) = delete;
  ~TableArray();

  Result<void> bind(int map_fd, std::uint32_t max_entries, const char* name);
  std::optional<std::uint32_t> allocate(std::uint32_t count);
  void free(std::uint32_t begin, std::uint32_t count) { allocator_.free(begin, count); }
  std::uint32_t used() const { return allocator_.end(); }
  bool bound() const { return mapped_ != nullptr; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  std::uint32_t capacity() const { return capacity_; }

 private:
  RangeAllocator allocator_;
  std::vector<T> own_;
  T* data_ = nullptr;
  T* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::uint32_t capacity_ = 0xffffffff;
};

struct UnwindMapSizes {
  std::uint32_t mappings, pages, rows, rules;
};

struct UnwindMapFds {
  int spaces, mappings, pages, rows, rules;
};

struct TableMemory {
  TableMemory();

  TableArray<std::uint64_t> spaces;
  TableArray<dwell_unwind_mapping> mappings;  // and space headers, which have the same size
  TableArray<dwell_unwind_page> pages;
  TableArray<dwell_unwind_row> rows;
  TableArray<dwell_unwind_rule> rules;
};

}  // namespace dwell
