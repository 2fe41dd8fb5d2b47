// SPDX-License-Identifier: Apache-2.0
// The vocabulary: names of allocation functions, and what each does.
#include <algorithm>
#include <unordered_map>

#include "userspace/probes/allocators.h"

namespace dwell {

namespace {

using NameTable = std::unordered_map<std::string_view, AllocName>;

void add(NameTable& table, AllocFamily family, dwell_probe_shape shape, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) table.emplace(name, AllocName{family, shape});
}

NameTable make_names() {
  NameTable t;
  add(t, AllocFamily::kC, DWELL_SHAPE_SIZE_ARG0, {"malloc", "valloc", "pvalloc"});
  add(t, AllocFamily::kC, DWELL_SHAPE_SIZE_ARG1, {"aligned_alloc", "memalign"});
  add(t, AllocFamily::kC, DWELL_SHAPE_PRODUCT_ARG0_ARG1, {"calloc"});
  add(t, AllocFamily::kC, DWELL_SHAPE_MEMALIGN_OUT, {"posix_memalign"});
  add(t, AllocFamily::kC, DWELL_SHAPE_REALLOC_ARG0_ARG1, {"realloc"});
  add(t, AllocFamily::kC, DWELL_SHAPE_REALLOCARRAY, {"reallocarray"});
  add(t, AllocFamily::kC, DWELL_SHAPE_REALLOCF, {"reallocf"});
  add(t, AllocFamily::kC, DWELL_SHAPE_FREE_ARG0, {"free", "cfree", "free_sized", "free_aligned_sized"});
  // glibc's own names for the same; others define them to take its place.
  add(t, AllocFamily::kC, DWELL_SHAPE_SIZE_ARG0, {"__libc_malloc", "__libc_valloc", "__libc_pvalloc"});
  add(t, AllocFamily::kC, DWELL_SHAPE_SIZE_ARG1, {"__libc_memalign"});
  add(t, AllocFamily::kC, DWELL_SHAPE_PRODUCT_ARG0_ARG1, {"__libc_calloc"});
  add(t, AllocFamily::kC, DWELL_SHAPE_MEMALIGN_OUT, {"__posix_memalign"});
  add(t, AllocFamily::kC, DWELL_SHAPE_REALLOC_ARG0_ARG1, {"__libc_realloc"});
  add(t, AllocFamily::kC, DWELL_SHAPE_FREE_ARG0, {"__libc_free", "__libc_cfree"});

  add(t, AllocFamily::kTcmalloc, DWELL_SHAPE_SIZE_ARG0,
      {"tc_malloc", "tc_malloc_skip_new_handler", "tc_valloc", "tc_pvalloc", "tc_new", "tc_new_nothrow", "tc_newarray",
       "tc_newarray_nothrow", "tc_new_aligned", "tc_new_aligned_nothrow", "tc_newarray_aligned",
       "tc_newarray_aligned_nothrow"});
  add(t, AllocFamily::kTcmalloc, DWELL_SHAPE_SIZE_ARG1, {"tc_memalign"});
  add(t, AllocFamily::kTcmalloc, DWELL_SHAPE_PRODUCT_ARG0_ARG1, {"tc_calloc"});
  add(t, AllocFamily::kTcmalloc, DWELL_SHAPE_MEMALIGN_OUT, {"tc_posix_memalign"});
  add(t, AllocFamily::kTcmalloc, DWELL_SHAPE_REALLOC_ARG0_ARG1, {"tc_realloc"});
  add(t, AllocFamily::kTcmalloc, DWELL_SHAPE_FREE_ARG0,
      {"tc_free", "tc_free_sized", "tc_cfree", "tc_delete", "tc_delete_sized", "tc_delete_nothrow", "tc_deletearray",
       "tc_deletearray_sized", "tc_deletearray_nothrow", "tc_delete_aligned", "tc_delete_sized_aligned",
       "tc_delete_aligned_nothrow", "tc_deletearray_aligned", "tc_deletearray_sized_aligned",
       "tc_deletearray_aligned_nothrow"});

  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_SIZE_ARG0,
      {"mi_malloc", "mi_malloc_small", "mi_zalloc", "mi_zalloc_small", "mi_malloc_aligned", "mi_malloc_aligned_at",
       "mi_zalloc_aligned", "mi_zalloc_aligned_at", "mi_valloc", "mi_pvalloc", "mi_new", "mi_new_aligned",
       "mi_new_nothrow", "mi_new_aligned_nothrow"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_SIZE_ARG1,
      {"mi_memalign", "mi_aligned_alloc", "mi_heap_malloc", "mi_heap_malloc_small", "mi_heap_zalloc",
       "mi_heap_malloc_aligned", "mi_heap_malloc_aligned_at", "mi_heap_zalloc_aligned", "mi_heap_zalloc_aligned_at"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_PRODUCT_ARG0_ARG1,
      {"mi_calloc", "mi_mallocn", "mi_calloc_aligned", "mi_calloc_aligned_at", "mi_new_n"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_PRODUCT_ARG1_ARG2,
      {"mi_heap_calloc", "mi_heap_mallocn", "mi_heap_calloc_aligned", "mi_heap_calloc_aligned_at"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_MEMALIGN_OUT, {"mi_posix_memalign"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_REALLOC_ARG0_ARG1,
      {"mi_realloc", "mi_rezalloc", "mi_realloc_aligned", "mi_realloc_aligned_at", "mi_rezalloc_aligned",
       "mi_rezalloc_aligned_at", "mi_new_realloc"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_REALLOC_ARG1_ARG2,
      {"mi_heap_realloc", "mi_heap_rezalloc", "mi_heap_realloc_aligned", "mi_heap_realloc_aligned_at",
       "mi_heap_rezalloc_aligned", "mi_heap_rezalloc_aligned_at"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_REALLOCARRAY,
      {"mi_reallocn", "mi_reallocarray", "mi_recalloc", "mi_recalloc_aligned", "mi_recalloc_aligned_at",
       "mi_new_reallocn"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_REALLOCARRAY_ARG1,
      {"mi_heap_reallocn", "mi_heap_recalloc", "mi_heap_recalloc_aligned", "mi_heap_recalloc_aligned_at"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_REALLOCF, {"mi_reallocf"});
  add(t, AllocFamily::kMimalloc, DWELL_SHAPE_FREE_ARG0,
      {"mi_free", "mi_cfree", "mi_free_size", "mi_free_size_aligned", "mi_free_aligned"});

  add(t, AllocFamily::kOther, DWELL_SHAPE_SIZE_ARG0, {"dlmalloc", "dlvalloc", "dlpvalloc", "rpmalloc"});
  add(t, AllocFamily::kOther, DWELL_SHAPE_SIZE_ARG1, {"dlmemalign", "rpaligned_alloc", "rpmemalign"});
  add(t, AllocFamily::kOther, DWELL_SHAPE_PRODUCT_ARG0_ARG1, {"dlcalloc", "rpcalloc"});
  add(t, AllocFamily::kOther, DWELL_SHAPE_MEMALIGN_OUT, {"dlposix_memalign", "rpposix_memalign"});
  add(t, AllocFamily::kOther, DWELL_SHAPE_REALLOC_ARG0_ARG1, {"dlrealloc", "rprealloc"});
  add(t, AllocFamily::kOther, DWELL_SHAPE_FREE_ARG0, {"dlfree", "rpfree"});

  add(t, AllocFamily::kCxx, DWELL_SHAPE_THROW, {"__cxa_throw", "__cxa_rethrow"});

  add(t, AllocFamily::kMapping, DWELL_SHAPE_MMAP, {"mmap", "mmap64"});
  add(t, AllocFamily::kMapping, DWELL_SHAPE_MUNMAP, {"munmap"});
  add(t, AllocFamily::kMapping, DWELL_SHAPE_MREMAP, {"mremap"});
  add(t, AllocFamily::kMapping, DWELL_SHAPE_BRK, {"brk"});
  add(t, AllocFamily::kMapping, DWELL_SHAPE_SBRK, {"sbrk"});
  return t;
}

bool consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// What may follow the first argument of the replaceable operators. Placement forms have other arguments.
bool only_standard_arguments(std::string_view rest) {
  while (!rest.empty())
    if (!consume(rest, "St11align_val_t") && !consume(rest, "RKSt9nothrow_t") && !consume(rest, "12__hot_cold_t"))
      return false;
  return true;
}

}  // namespace

AllocName alloc_name(std::string_view symbol) {
  static const NameTable kNames = make_names();
  auto found = kNames.find(symbol);
  if (found != kNames.end()) return found->second;
  std::string_view rest = symbol;
  if (consume(rest, "_Znwm") || consume(rest, "_Znam"))
    return {AllocFamily::kCxx, only_standard_arguments(rest) ? DWELL_SHAPE_SIZE_ARG0 : DWELL_SHAPE_NONE};
  if (consume(rest, "_ZdlPv") || consume(rest, "_ZdaPv")) {
    consume(rest, "m");
    return {AllocFamily::kCxx, only_standard_arguments(rest) ? DWELL_SHAPE_FREE_ARG0 : DWELL_SHAPE_NONE};
  }
  return {AllocFamily::kC, DWELL_SHAPE_NONE};
}

bool may_throw(std::string_view symbol) {
  if (symbol.find("nothrow") != std::string_view::npos) return false;
  for (std::string_view throwing : {"_Znwm", "_Znam", "tc_new", "mi_new", "mi_heap_new", "mi_heap_alloc_new"})
    if (symbol.starts_with(throwing)) return true;
  return false;
}

// jemalloc's extended functions, without prefix.
dwell_probe_shape jemalloc_shape(std::string_view name) {
  if (name == "mallocx") return DWELL_SHAPE_SIZE_ARG0;
  if (name == "rallocx") return DWELL_SHAPE_REALLOC_ARG0_ARG1;
  if (name == "xallocx") return DWELL_SHAPE_XALLOCX;
  if (name == "dallocx" || name == "sdallocx") return DWELL_SHAPE_FREE_ARG0;
  AllocName standard = alloc_name(name);
  return standard.family == AllocFamily::kC && !name.starts_with("__") ? standard.shape : DWELL_SHAPE_NONE;
}

bool wants_return(dwell_probe_shape shape) {
  return shape != DWELL_SHAPE_NONE && shape != DWELL_SHAPE_FREE_ARG0 && shape != DWELL_SHAPE_MUNMAP &&
         shape != DWELL_SHAPE_THROW && shape != DWELL_SHAPE_TAKE_ARGUMENT && shape != DWELL_SHAPE_GIVE;
}

bool gives_back(dwell_probe_shape shape) {
  return shape == DWELL_SHAPE_FREE_ARG0 || shape == DWELL_SHAPE_MUNMAP || shape == DWELL_SHAPE_GIVE;
}

const char* shape_text(dwell_probe_shape shape) {
  switch (shape) {
    case DWELL_SHAPE_SIZE_ARG0:
      return "size in argument 0";
    case DWELL_SHAPE_SIZE_ARG1:
      return "size in argument 1";
    case DWELL_SHAPE_PRODUCT_ARG0_ARG1:
      return "size is argument 0 times 1";
    case DWELL_SHAPE_PRODUCT_ARG1_ARG2:
      return "size is argument 1 times 2";
    case DWELL_SHAPE_MEMALIGN_OUT:
      return "block stored through argument 0";
    case DWELL_SHAPE_REALLOC_ARG0_ARG1:
    case DWELL_SHAPE_REALLOC_ARG1_ARG2:
    case DWELL_SHAPE_REALLOCARRAY:
    case DWELL_SHAPE_REALLOCARRAY_ARG1:
    case DWELL_SHAPE_REALLOCF:
      return "resizes";
    case DWELL_SHAPE_XALLOCX:
      return "resizes in place";
    case DWELL_SHAPE_FREE_ARG0:
      return "frees argument 0";
    case DWELL_SHAPE_MMAP:
    case DWELL_SHAPE_MREMAP:
    case DWELL_SHAPE_BRK:
    case DWELL_SHAPE_SBRK:
      return "maps";
    case DWELL_SHAPE_MUNMAP:
      return "unmaps";
    case DWELL_SHAPE_THROW:
      return "throws";
    case DWELL_SHAPE_TAKE_RESULT:
      return "takes what it returns or stores";
    case DWELL_SHAPE_TAKE_ARGUMENT:
      return "takes an argument";
    case DWELL_SHAPE_GIVE:
      return "gives back an argument";
    case DWELL_SHAPE_NONE:
    case DWELL_SHAPES:
      break;
  }
  return "no allocation";
}

}  // namespace dwell
