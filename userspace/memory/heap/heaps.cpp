// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/heaps.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/memory/heap/glibc_heap.h"
#include "userspace/memory/heap/jemalloc_heap.h"
#include "userspace/memory/heap/mimalloc_heap.h"
#include "userspace/memory/heap/musl_heap.h"
#include "userspace/memory/heap/old_musl_heap.h"
#include "userspace/memory/heap/tcmalloc_heap.h"

namespace dwell::memory::heap {
namespace {

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool is_c_library(const std::string& name) {
  return name.starts_with("libc.so.6") || name.starts_with("libc-2.") || name.starts_with("ld-musl-");
}

// The library of an allocator other than libc's; "" where there is none.
std::string allocator_library(const std::vector<Mapping>& mappings) {
  for (const Mapping& mapping : mappings) {
    std::string name = file_name(mapping.path);
    for (const char* known : {"libjemalloc", "libtcmalloc", "libmimalloc", "ld-musl-"})
      if (name.starts_with(known)) return name;
  }
  return "";
}

std::string why_none(const std::vector<Mapping>& mappings, const std::string& unread) {
  if (!unread.empty())
    return fmt::format("the structures of {} could not be read: they kept changing, or are of a version that dwell does not know",
                       unread);
  bool has_libc = std::ranges::any_of(mappings, [](const Mapping& mapping) { return is_c_library(file_name(mapping.path)); });
  if (has_libc) return "the C library's malloc was never used, and no other allocator that dwell can read was found";
  return "no allocator that dwell can read was found: neither in a library nor in the program itself";
}

}  // namespace

FoundHeaps find_heaps(const Target& target) {
  FoundHeaps found;
  if (std::unique_ptr<Heap> glibc = open_glibc_heap(target)) found.heaps.push_back(std::move(glibc));
  if (std::unique_ptr<Heap> musl = open_musl_heap(target)) found.heaps.push_back(std::move(musl));
  if (std::unique_ptr<Heap> musl = open_old_musl_heap(target)) found.heaps.push_back(std::move(musl));
  if (std::unique_ptr<Heap> mimalloc = open_mimalloc_heap(target)) found.heaps.push_back(std::move(mimalloc));
  if (std::unique_ptr<Heap> tcmalloc = open_tcmalloc_heap(target)) found.heaps.push_back(std::move(tcmalloc));
  if (std::unique_ptr<Heap> jemalloc = open_jemalloc_heap(target)) found.heaps.push_back(std::move(jemalloc));
  // glibc's own heap is there besides, for what was allocated before the other library was loaded.
  bool has_other = std::ranges::any_of(found.heaps, [](const auto& one) { return !one->name().starts_with("glibc"); });
  if (!has_other) found.unread = allocator_library(target.mappings);
  if (found.heaps.empty()) found.none = why_none(target.mappings, found.unread);
  return found;
}

Result<FoundHeaps> find_heaps_of(pid_t pid, const Target& target, std::vector<Mapping>& mappings) {
  for (int tries = 1;; ++tries) {
    Result<std::vector<Mapping>> read = read_maps(pid);
    if (!read) return read.error();
    mappings = std::move(*read);
    FoundHeaps found = find_heaps(target);
    if (found.unread.empty() || tries == kTriesToFindHeaps) return found;
  }
}

}  // namespace dwell::memory::heap
