/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of own_allocator.c keep: KEEPS(function, blocks, bytes). */
#ifndef DWELL_TESTS_TARGETS_OWN_ALLOCATOR_H
#define DWELL_TESTS_TARGETS_OWN_ALLOCATOR_H

#define OWN_ALLOCATOR_FUNCTIONS(KEEPS)    \
  KEEPS(keep_own, 5, 5 * 64)              \
  KEEPS(keep_own_resized, 1, 300)         \
  KEEPS(keep_own_aligned, 2, 2 * 128)     \
  KEEPS(freed_with_size, 0, 0)            \
  KEEPS(freed_with_alignment, 0, 0)       \
  KEEPS(keep_of_library, 1, 6)

#endif
