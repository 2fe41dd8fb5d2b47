// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/table_memory.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace dwell {

std::optional<std::uint32_t> RangeAllocator::allocate(std::uint32_t count, std::uint32_t capacity) {
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
    auto [begin, size] = *hole;
    if (size < count) continue;
    holes_.erase(hole);
    if (size > count) holes_.emplace(begin + count, size - count);
    return begin;
  }
  if (count > capacity || end_ > capacity - count) return std::nullopt;
  std::uint32_t begin = end_;
  end_ += count;
  return begin;
}

void RangeAllocator::free(std::uint32_t begin, std::uint32_t count) {
  if (count == 0) return;
  auto next = holes_.lower_bound(begin);
  if (next != holes_.end() && next->first == begin + count) {
    count += next->second;
    next = holes_.erase(next);
  }
  if (next != holes_.begin()) {
    auto before = std::prev(next);
    if (before->first + before->second == begin) {
      begin = before->first;
      count += before->second;
      holes_.erase(before);
    }
  }
  if (begin + count == end_)
    end_ = begin;
  else
    holes_.emplace(begin, count);
}

template <typename T>
TableArray<T>::TableArray(TableArray&& other) noexcept
    : allocator_(std::move(other.allocator_)),
      own_(std::move(other.own_)),
      data_(other.data_),
      mapped_(std::exchange(other.mapped_, nullptr)),
      mapped_bytes_(other.mapped_bytes_),
      capacity_(other.capacity_) {}

template <typename T>
TableArray<T>::~TableArray() {
  if (mapped_) ::munmap(mapped_, mapped_bytes_);
}

template <typename T>
Result<void> TableArray<T>::bind(int map_fd, std::uint32_t max_entries, const char* name) {
  if (max_entries < used())
    return Error{
        fmt::format("bind unwind tables: map {} has {} entries, {} are needed", name, max_entries, used()),
        ""};
  std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t bytes = (std::size_t{max_entries} * sizeof(T) + page - 1) / page * page;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (memory == MAP_FAILED) return system_error(fmt::format("map BPF map {} into memory", name), errno);
  mapped_ = static_cast<T*>(memory);
  mapped_bytes_ = bytes;
  capacity_ = max_entries;
  std::copy(data_, data_ + used(), mapped_);
  data_ = mapped_;
  own_ = {};
  return {};
}

template <typename T>
std::optional<std::uint32_t> TableArray<T>::allocate(std::uint32_t count) {
  std::optional<std::uint32_t> begin = allocator_.allocate(count, capacity_);
  if (begin && !mapped_ && own_.size() < used()) {
    own_.resize(used());
    data_ = own_.data();
  }
  return begin;
}

template class TableArray<std::uint64_t>;
template class TableArray<dwell_unwind_mapping>;
template class TableArray<dwell_unwind_page>;
template class TableArray<dwell_unwind_row>;
template class TableArray<dwell_unwind_rule>;

// Index 0 of `mappings` stays free: a space of 0 is no space. Rule 0 says that there is no rule.
TableMemory::TableMemory() : spaces(DWELL_UNWIND_SPACES), mappings(1), pages(0), rows(0), rules(1) {
  rules.data()[0] = {0, 0, DWELL_CFA_NONE, DWELL_BP_SAME};
}

}  // namespace dwell
