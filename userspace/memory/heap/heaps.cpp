// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/heaps.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/memory/heap/glibc_heap.h"
#include "userspace/memory/heap/jemalloc_heap.h"

namespace dwell::memory::heap {
namespace {

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool is_c_library(const std::string& name) {
  return name.starts_with("libc.so.6") || name.starts_with("libc-2.") || name.starts_with("ld-musl-");
}

// What is known to allocate, and can't be read.
std::string unread_allocator(const std::vector<Mapping>& mappings) {
  for (const Mapping& mapping : mappings) {
    std::string name = file_name(mapping.path);
    for (const char* known : {"jemalloc", "tcmalloc", "mimalloc", "ld-musl-"})
      if (name.find(known) != std::string::npos) return name;
  }
  return "";
}

std::string why_none(const std::vector<Mapping>& mappings) {
  if (std::string other = unread_allocator(mappings); !other.empty())
    return fmt::format("its allocator is that of {}, whose structures dwell cannot read", other);
  bool has_libc = std::any_of(mappings.begin(), mappings.end(),
                              [](const Mapping& mapping) { return is_c_library(file_name(mapping.path)); });
  if (has_libc) return "the C library's malloc was never used, and no other allocator that dwell can read was found";
  return "no allocator that dwell can read was found: neither glibc's malloc in a library nor a static one";
}

}  // namespace

FoundHeaps find_heaps(const Target& target) {
  FoundHeaps found;
  if (std::unique_ptr<Heap> glibc = open_glibc_heap(target)) found.heaps.push_back(std::move(glibc));
  if (std::unique_ptr<Heap> jemalloc = open_jemalloc_heap(target)) found.heaps.push_back(std::move(jemalloc));
  if (found.heaps.empty()) found.none = why_none(target.mappings);
  return found;
}

}  // namespace dwell::memory::heap
