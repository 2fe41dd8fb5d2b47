/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that only one allocator has, found by name in the one that is preloaded. */
#define _GNU_SOURCE
#include "tests/targets/extended_functions.h"

#include <dlfcn.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

/* FUNCTION(void*, mallocx, (size_t, int)): a pointer of that name, filled in before "ready". */
#define FUNCTIONS(FUNCTION)                                      \
  FUNCTION(void*, mallocx, (size_t, int))                        \
  FUNCTION(void*, rallocx, (void*, size_t, int))                 \
  FUNCTION(size_t, xallocx, (void*, size_t, size_t, int))        \
  FUNCTION(void, dallocx, (void*, int))                          \
  FUNCTION(void, sdallocx, (void*, size_t, int))                 \
  FUNCTION(void*, tc_malloc, (size_t))                           \
  FUNCTION(void*, tc_calloc, (size_t, size_t))                   \
  FUNCTION(void*, tc_realloc, (void*, size_t))                   \
  FUNCTION(void*, tc_memalign, (size_t, size_t))                 \
  FUNCTION(int, tc_posix_memalign, (void**, size_t, size_t))     \
  FUNCTION(void*, tc_valloc, (size_t))                           \
  FUNCTION(void*, tc_pvalloc, (size_t))                          \
  FUNCTION(void*, tc_new, (size_t))                              \
  FUNCTION(void*, tc_newarray, (size_t))                         \
  FUNCTION(void*, tc_new_nothrow, (size_t, const void*))         \
  FUNCTION(void, tc_free, (void*))                               \
  FUNCTION(void, tc_free_sized, (void*, size_t))                 \
  FUNCTION(void, tc_delete, (void*))                             \
  FUNCTION(void, tc_delete_sized, (void*, size_t))               \
  FUNCTION(void, tc_deletearray, (void*))                        \
  FUNCTION(void*, mi_malloc, (size_t))                           \
  FUNCTION(void*, mi_malloc_small, (size_t))                     \
  FUNCTION(void*, mi_zalloc, (size_t))                           \
  FUNCTION(void*, mi_zalloc_small, (size_t))                     \
  FUNCTION(void*, mi_calloc, (size_t, size_t))                   \
  FUNCTION(void*, mi_mallocn, (size_t, size_t))                  \
  FUNCTION(void*, mi_malloc_aligned, (size_t, size_t))           \
  FUNCTION(void*, mi_aligned_alloc, (size_t, size_t))            \
  FUNCTION(void*, mi_realloc, (void*, size_t))                   \
  FUNCTION(void*, mi_reallocn, (void*, size_t, size_t))          \
  FUNCTION(void*, mi_rezalloc, (void*, size_t))                  \
  FUNCTION(void*, mi_heap_get_default, (void))                   \
  FUNCTION(void*, mi_heap_malloc, (void*, size_t))               \
  FUNCTION(void*, mi_heap_calloc, (void*, size_t, size_t))       \
  FUNCTION(void*, mi_new, (size_t))                              \
  FUNCTION(void*, mi_new_nothrow, (size_t))                      \
  FUNCTION(void, mi_free, (void*))                               \
  FUNCTION(void, mi_free_size, (void*, size_t))

#define DECLARE(result, name, arguments) static result(*name) arguments;
FUNCTIONS(DECLARE)

static void find_functions(void) {
#define FIND(result, name, arguments) name = (result(*) arguments)dlsym(RTLD_DEFAULT, #name);
  FUNCTIONS(FIND)
}

/* ---- jemalloc ---- */

#define ALIGN_256 8 /* MALLOCX_LG_ALIGN(8) */

SCENARIO void keep_mallocx(void) {
  for (int i = 0; i < 2; ++i) keep(mallocx(100, 0));
}
SCENARIO void keep_mallocx_aligned(void) {
  for (int i = 0; i < 2; ++i) keep(mallocx(300, ALIGN_256));
}
SCENARIO void keep_rallocx(void) { keep(rallocx(opaque(mallocx(100, 0)), 5000, 0)); }
SCENARIO void keep_xallocx_grown(void) {
  void* block = keep(mallocx(5000, 0));
  check(xallocx(block, 5100, 0, 0) >= 5100, "a hundred bytes more must fit in place");
}
SCENARIO void keep_xallocx_refused(void) {
  void* block = keep(mallocx(100, 0));
  check(xallocx(block, 1 << 20, 0, 0) < 1 << 20, "a megabyte cannot fit in place");
}
SCENARIO void dallocx_and_sdallocx(void) {
  for (int i = 0; i < 20; ++i) {
    dallocx(opaque(mallocx(64, 0)), 0);
    sdallocx(opaque(mallocx(64, 0)), 64, 0);
  }
}

/* ---- tcmalloc ---- */

SCENARIO void keep_tc_malloc(void) {
  for (int i = 0; i < 2; ++i) keep(tc_malloc(100));
}
SCENARIO void keep_tc_calloc(void) { keep(tc_calloc(7, 13)); }
SCENARIO void keep_tc_realloc(void) { keep(tc_realloc(opaque(tc_malloc(100)), 5000)); }
SCENARIO void keep_tc_memalign(void) { keep(tc_memalign(64, 210)); }
SCENARIO void keep_tc_posix_memalign(void) {
  void* block = NULL;
  check(tc_posix_memalign(&block, 64, 220) == 0, "tc_posix_memalign failed");
  keep(block);
}
SCENARIO void keep_tc_valloc(void) { keep(tc_valloc(230)); }
SCENARIO void keep_tc_pvalloc(void) { keep(tc_pvalloc(240)); }
SCENARIO void keep_tc_new(void) {
  keep(tc_new(40));
  keep(tc_newarray(41));
  keep(tc_new_nothrow(42, NULL));
}
SCENARIO void tc_frees(void) {
  for (int i = 0; i < 20; ++i) {
    tc_free(opaque(tc_malloc(64)));
    tc_free_sized(opaque(tc_malloc(64)), 64);
    tc_delete(opaque(tc_new(64)));
    tc_delete_sized(opaque(tc_new(64)), 64);
    tc_deletearray(opaque(tc_newarray(64)));
  }
}

/* ---- mimalloc ---- */

SCENARIO void keep_mi_malloc(void) {
  keep(mi_malloc(100));
  keep(mi_malloc_small(100));
}
SCENARIO void keep_mi_zalloc(void) {
  keep(mi_zalloc(110));
  keep(mi_zalloc_small(111));
}
SCENARIO void keep_mi_calloc(void) {
  keep(mi_calloc(7, 13));
  keep(mi_mallocn(5, 11));
}
SCENARIO void keep_mi_aligned(void) {
  keep(mi_malloc_aligned(120, 64));
  keep(mi_aligned_alloc(64, 121));
}
SCENARIO void keep_mi_realloc(void) {
  keep(mi_realloc(opaque(mi_malloc(100)), 5000));
  keep(mi_reallocn(opaque(mi_malloc(10)), 6, 20));
  keep(mi_rezalloc(opaque(mi_zalloc(10)), 77));
}
SCENARIO void keep_mi_heap(void) {
  void* heap = mi_heap_get_default();
  keep(mi_heap_malloc(heap, 130));
  keep(mi_heap_calloc(heap, 9, 3));
}
SCENARIO void keep_mi_new(void) {
  keep(mi_new(140));
  keep(mi_new_nothrow(141));
}
SCENARIO void mi_frees(void) {
  for (int i = 0; i < 20; ++i) {
    mi_free(opaque(mi_malloc(64)));
    mi_free_size(opaque(mi_malloc(64)), 64);
  }
}

#define CALL(function, blocks, bytes) function();
SCENARIO void run_scenario(const char* allocator) {
  if (!strcmp(allocator, "jemalloc")) { JEMALLOC_FUNCTIONS(CALL) }
  if (!strcmp(allocator, "tcmalloc")) { TCMALLOC_FUNCTIONS(CALL) }
  if (!strcmp(allocator, "mimalloc")) { MIMALLOC_FUNCTIONS(CALL) }
  say("");
}

int main(int argc, char** argv) {
  check(argc == 2, "usage: extended_functions jemalloc | tcmalloc | mimalloc");
  find_functions();
  say("ready\n");
  wait_for_line();
  run_scenario(argv[1]);
  say("done\n");
  wait_for_line();
  return 0;
}
