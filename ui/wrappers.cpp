// SPDX-License-Identifier: Apache-2.0
#include "ui/wrappers.h"

#include <algorithm>

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

bool is_root(const ReportFrame& frame) {
  return frame.function == "main" || frame.function == "_start" || frame.function.starts_with("__libc_start") || frame.function == "start_thread";
}

}  // namespace

bool is_known_wrapper(std::string_view function) {
  function = function.substr(0, function.find('('));
  for (std::string_view name :
       {"xmalloc", "xcalloc", "xzalloc", "xrealloc", "xstrdup", "xstrndup", "xmemdup", "zmalloc", "zcalloc", "zrealloc", "ztrymalloc_usable",
        "zmalloc_usable", "ztrymalloc_usable_internal", "valkey_malloc", "safe_malloc", "os_malloc", "os_zalloc", "my_malloc", "my_realloc",
        "ngx_alloc", "ngx_calloc", "ngx_memalign", "palloc", "palloc0", "repalloc", "apr_palloc", "AllocSetAlloc", "AllocSetAllocLarge",
        "MemoryContextAlloc", "MemoryContextAllocZero", "MemoryContextAllocExtended", "PyMem_Malloc", "PyMem_RawMalloc", "PyObject_Malloc",
        "_PyMem_RawMalloc", "_PyObject_Malloc", "av_malloc", "av_mallocz", "CRYPTO_malloc", "CRYPTO_zalloc", "OPENSSL_malloc",
        "sqlite3MemMalloc", "sqlite3Malloc", "sqlite3_malloc64", "l_alloc", "g_malloc", "g_malloc0", "g_realloc", "g_malloc_n", "g_malloc0_n",
        "g_slice_alloc", "g_slice_alloc0", "g_strdup", "g_strndup", "wmem_alloc", "uv__malloc", "uv__calloc", "uv__realloc"})
    if (function == name) return true;
  return false;
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
