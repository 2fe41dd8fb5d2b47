/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation function of C, and every way in which one of them can go wrong. */
#define _GNU_SOURCE
#include "tests/targets/heap_functions.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

#define TOO_MUCH (PTRDIFF_MAX - 4096)

SCENARIO void keep_malloc(void) {
  for (int i = 0; i < 3; ++i) keep(malloc(100));
}

/* Beyond the size from which allocators turn to mmap: one block all the same, and no mapping. */
SCENARIO void keep_malloc_large(void) {
  for (int i = 0; i < 2; ++i) keep(malloc(3000000));
  free(keep(malloc(3000000)));
}

SCENARIO void keep_malloc_of_nothing(void) { keep(malloc(0)); }

SCENARIO void malloc_and_free(void) {
  for (int i = 0; i < 100; ++i) free(opaque(malloc(1000)));
}

SCENARIO void malloc_fails(void) {
  check(malloc(opaque_size(TOO_MUCH)) == NULL, "malloc of nearly everything must fail");
  check(calloc(1, opaque_size(TOO_MUCH)) == NULL, "calloc of nearly everything must fail");
}

SCENARIO void free_null(void) {
  for (int i = 0; i < 10; ++i) free(opaque(NULL));
}

SCENARIO void keep_calloc(void) {
  for (int i = 0; i < 2; ++i) keep(calloc(7, 13));
}

SCENARIO void calloc_overflows(void) {
  check(calloc(opaque_size(SIZE_MAX / 2), 4) == NULL, "an overflowing calloc must fail");
}

SCENARIO void keep_realloc_of_null(void) { keep(realloc(opaque(NULL), 77)); }

SCENARIO void keep_realloc_grown(void) { keep(realloc(opaque(malloc(100)), 200000)); }

SCENARIO void keep_realloc_shrunk(void) { keep(realloc(opaque(malloc(5000)), 50)); }

SCENARIO void keep_realloc_in_place(void) {
  void* before = opaque(malloc(100));
  void* after = keep(realloc(before, 104));
  check(before == after, "four bytes more must fit in place");
}

/* Who resizes a block becomes the one who asked for it. */
static void* moving;
SCENARIO void allocated_before_the_move(void) { moving = opaque(malloc(64)); }
SCENARIO void keep_neighbour(void) { keep(malloc(64)); }
SCENARIO void keep_realloc_moved(void) {
  void* after = keep(realloc(moving, 1 << 20));
  check(after != moving, "a megabyte cannot fit in place");
}

SCENARIO void keep_realloc_failed(void) {
  void* block = keep(malloc(200));
  check(realloc(block, opaque_size(TOO_MUCH)) == NULL, "realloc to nearly everything must fail");
}

SCENARIO void realloc_step_by_step(void) {
  void* block = NULL;
  for (size_t size = 10; size <= 640; size += 10) block = opaque(realloc(block, size));
  keep(block);
}

SCENARIO void realloc_to_zero(void) {
  void* block = realloc(opaque(malloc(64)), opaque_size(0));
  say(block ? ZERO_SIZED_BLOCKS "1\n" : ZERO_SIZED_BLOCKS "0\n");
  opaque(block);
}

SCENARIO void keep_reallocarray(void) { keep(reallocarray(opaque(malloc(10)), 5, 30)); }

SCENARIO void keep_reallocarray_overflown(void) {
  void* block = keep(malloc(33));
  check(reallocarray(block, opaque_size(SIZE_MAX / 2), 4) == NULL, "an overflowing reallocarray must fail");
}

SCENARIO void keep_posix_memalign(void) {
  for (int i = 0; i < 2; ++i) {
    void* block = NULL;
    check(posix_memalign(&block, 256, 300) == 0, "posix_memalign failed");
    keep(block);
  }
}

SCENARIO void posix_memalign_refused(void) {
  void* block = &block;
  check(posix_memalign(&block, opaque_size(24), 300) == EINVAL, "an alignment of 24 must be refused");
}

SCENARIO void keep_aligned_alloc(void) {
  for (int i = 0; i < 2; ++i) keep(aligned_alloc(64, 640));
}

SCENARIO void keep_memalign(void) {
  for (int i = 0; i < 2; ++i) keep(memalign(128, 200));
}

SCENARIO void keep_valloc(void) { keep(valloc(123)); }

#ifdef __GLIBC__
SCENARIO void keep_pvalloc(void) { keep(pvalloc(123)); }
#endif

SCENARIO void freed_in_other_order(void) {
  void* blocks[50];
  for (int i = 0; i < 50; ++i) blocks[i] = opaque(malloc(16 + i));
  for (int i = 0; i < 50; i += 2) free(blocks[i]);
  for (int i = 49; i > 0; i -= 2) free(blocks[i]);
}

SCENARIO void keep_one_of_many(void) {
  for (int i = 0; i < 1000; ++i) {
    void* block = opaque(malloc(24));
    if (i % 100 == 0)
      keep(block);
    else
      free(block);
  }
}

#define CALL(function, blocks, bytes) function();
/* Not inlined into main, so that the stacks have something between. */
SCENARIO void run_scenario(void) {
  HEAP_FUNCTIONS(CALL)
#ifdef __GLIBC__
  HEAP_FUNCTIONS_PVALLOC(CALL)
#endif
  realloc_to_zero();
  say("");
}

DEFINE_MAIN(run_scenario);
