// SPDX-License-Identifier: Apache-2.0
#include "ui/wrappers.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cctype>

#include "ui/call_site.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

constexpr std::size_t kManyCallers = 8, kFewLines = 3;
constexpr std::size_t kNestedWrappers = 4;  // looked at above the allocator

// The C and C++ libraries' own functions that ask on behalf of their callers: strdup, getline, fopen.
bool is_standard_library(const ReportFrame& frame) {
  std::string_view name = base_name(frame.module);
  for (std::string_view start : {"libc.so", "libc-", "libstdc++.so", "libc++.so", "ld-musl"})
    if (name.starts_with(start)) return true;
  return is_library_internal(frame);
}

// Above what only leads from Go to C.
std::size_t caller_of(const std::vector<ReportFrame>& stack, std::size_t at) {
  do ++at;
  while (at + 1 < stack.size() && is_between_go_and_c(stack, at));
  return at;
}

// Whether a frame without a name is C's that Go called: Go's frames always have names.
bool is_nameless_below_go(const std::vector<ReportFrame>& stack, std::size_t at) {
  if (stack[at].named) return false;
  while (++at < stack.size())
    if (stack[at].named) return is_between_go_and_c(stack, at);
  return false;
}

// xmalloc, CRYPTO_zalloc, Perl_safesysrealloc, os::malloc, PyObject_Malloc, zrealloc_usable: by custom what ends so does nothing else.
bool is_named_as_allocator(std::string_view function) {
  std::string name(function.substr(function.rfind(':') + 1));  // npos + 1 is 0
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (std::string_view addition : {"_internal", "_usable", "_body", "_n", "_x", "64", "0", "_"})
    if (name.ends_with(addition)) name.resize(name.size() - addition.size());
  for (std::string_view end : {"malloc", "calloc", "realloc", "zalloc", "mallocz", "memalign", "strdup", "strndup", "memdup"})
    if (name.ends_with(end)) return true;
  return false;
}

bool is_root(const ReportFrame& frame) {
  return frame.function == "main" || frame.function == "_start" || frame.function.starts_with("__libc_start") || frame.function == "start_thread";
}

}  // namespace

bool is_known_wrapper(std::string_view function) {
  static const absl::flat_hash_set<std::string_view> kNames = {
      // palloc and its like, of nginx, postgres and Apache
      "ngx_alloc", "ngx_memalign", "ngx_palloc", "ngx_pcalloc", "ngx_pnalloc", "palloc", "palloc0", "palloc_extended", "repalloc", "AllocSetAlloc",
      "AllocSetAllocLarge", "AllocSetAllocFromNewBlock", "MemoryContextAlloc", "MemoryContextAllocZero", "MemoryContextAllocZeroAligned", "MemoryContextAllocExtended",
      "MemoryContextAllocHuge", "apr_palloc", "apr_pcalloc", "apr_pstrmemdup", "apr_psprintf", "apr_pvsprintf",
      // HotSpot, V8, Erlang, Perl, PHP, Lua, Ruby
      "AllocateHeap", "ReallocateHeap", "NEW_C_HEAP_ARRAY", "Arena::grow", "Arena::Amalloc", "Chunk::operator new", "resource_allocate_bytes", "v8::internal::Malloced::operator new",
      "v8::internal::AllocWithRetry", "erts_sys_alloc", "erts_sys_realloc", "erts_alloc", "erts_alloc_fnf", "erts_alcu_sys_alloc", "erts_alcu_sys_realloc", "Perl_more_bodies", "_emalloc",
      "_safe_emalloc", "l_alloc", "luaM_malloc_", "luaM_realloc_", "rb_wb_protected_newobj_of",
      // pools of haproxy, MariaDB, BIND, Unbound, GLib, Wireshark
      "pool_get_from_os", "pool_alloc_nocache", "__pool_alloc", "alloc_root", "init_alloc_root", "my_multi_malloc", "isc__mem_get", "isc__mem_allocate", "isc__mem_reallocate", "mem_get",
      "regional_alloc", "g_slice_alloc", "g_slice_alloc0", "wmem_alloc", "os_zalloc"};
  function = function.substr(0, function.find('('));
  return kNames.contains(function) || is_named_as_allocator(function);
}

void Wrappers::learn(const std::vector<ReportFrame>& stack) {
  if (stack.empty()) return;
  std::size_t first = asking_frame(stack), last = std::min(stack.size(), first + kNestedWrappers + 1);
  for (std::size_t i = first; i + 1 < last; ++i) {
    if (is_root(stack[i]) || is_between_go_and_c(stack, i)) return;
    Shape& shape = shapes_[stack[i].function];
    if (shape.callers.size() <= kManyCallers) shape.callers.insert(stack[caller_of(stack, i)].function);
    if (shape.lines.size() <= kFewLines) shape.lines.emplace(stack[i].file, stack[i].line ? stack[i].line : stack[i].offset);
  }
}

bool Wrappers::is_wrapper(const ReportFrame& frame) const {
  if (is_known_wrapper(frame.function) || is_standard_library(frame)) return true;
  auto known = shapes_.find(frame.function);
  return known != shapes_.end() && known->second.callers.size() >= kManyCallers && known->second.lines.size() <= kFewLines;
}

std::size_t Wrappers::site_frame(const std::vector<ReportFrame>& stack) const {
  std::size_t asks = asking_frame(stack);
  for (std::size_t i = asks; i < stack.size(); ++i)
    if (!is_wrapper(stack[i]) && !is_between_go_and_c(stack, i) && !is_nameless_below_go(stack, i)) return is_root(stack[i]) && i > asks && stack[i].function != "main" ? asks : i;
  return asks;
}

}  // namespace dwell
