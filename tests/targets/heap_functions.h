/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of heap_functions.c keep: KEEPS(function, blocks, bytes as asked for). */
#ifndef DWELL_TESTS_TARGETS_HEAP_FUNCTIONS_H
#define DWELL_TESTS_TARGETS_HEAP_FUNCTIONS_H

#define HEAP_FUNCTIONS(KEEPS)                     \
  KEEPS(keep_malloc, 3, 3 * 100)                  \
  KEEPS(keep_malloc_large, 2, 2 * 3000000)        \
  KEEPS(keep_malloc_of_nothing, 1, 0)             \
  KEEPS(malloc_and_free, 0, 0)                    \
  KEEPS(malloc_fails, 0, 0)                       \
  KEEPS(free_null, 0, 0)                          \
  KEEPS(keep_calloc, 2, 2 * (7 * 13))             \
  KEEPS(calloc_overflows, 0, 0)                   \
  KEEPS(keep_realloc_of_null, 1, 77)              \
  KEEPS(keep_realloc_grown, 1, 200000)            \
  KEEPS(keep_realloc_shrunk, 1, 50)               \
  KEEPS(keep_realloc_in_place, 1, 104)            \
  KEEPS(allocated_before_the_move, 0, 0)          \
  KEEPS(keep_neighbour, 1, 64)                    \
  KEEPS(keep_realloc_moved, 1, 1 << 20)           \
  KEEPS(keep_realloc_failed, 1, 200)              \
  KEEPS(realloc_step_by_step, 1, 640)             \
  KEEPS(keep_reallocarray, 1, 5 * 30)             \
  KEEPS(keep_reallocarray_overflown, 1, 33)       \
  KEEPS(keep_posix_memalign, 2, 2 * 300)          \
  KEEPS(posix_memalign_refused, 0, 0)             \
  KEEPS(keep_aligned_alloc, 2, 2 * 640)           \
  KEEPS(keep_memalign, 2, 2 * 200)                \
  KEEPS(keep_valloc, 1, 123)                      \
  KEEPS(freed_in_other_order, 0, 0)               \
  KEEPS(keep_one_of_many, 10, 10 * 24)

/* Where the C library has it. */
#define HEAP_FUNCTIONS_PVALLOC(KEEPS) KEEPS(keep_pvalloc, 1, 123)

/* realloc(block, 0) frees in some libraries, and makes a block of no size in others: the target says which
 * ("zero-sized blocks: 0" or 1). */
#define REALLOC_TO_ZERO "realloc_to_zero"
#define ZERO_SIZED_BLOCKS "zero-sized blocks: "

#endif
