/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of extended_functions.c keep: KEEPS(function, blocks, bytes). */
#ifndef DWELL_TESTS_TARGETS_EXTENDED_FUNCTIONS_H
#define DWELL_TESTS_TARGETS_EXTENDED_FUNCTIONS_H

#define JEMALLOC_FUNCTIONS(KEEPS)            \
  KEEPS(keep_mallocx, 2, 2 * 100)            \
  KEEPS(keep_mallocx_aligned, 2, 2 * 300)    \
  KEEPS(keep_rallocx, 1, 5000)               \
  KEEPS(keep_xallocx_grown, 1, 5100)         \
  KEEPS(keep_xallocx_refused, 1, 100)        \
  KEEPS(dallocx_and_sdallocx, 0, 0)

#define TCMALLOC_FUNCTIONS(KEEPS)            \
  KEEPS(keep_tc_malloc, 2, 2 * 100)          \
  KEEPS(keep_tc_calloc, 1, 7 * 13)           \
  KEEPS(keep_tc_realloc, 1, 5000)            \
  KEEPS(keep_tc_memalign, 1, 210)            \
  KEEPS(keep_tc_posix_memalign, 1, 220)      \
  KEEPS(keep_tc_valloc, 1, 230)              \
  KEEPS(keep_tc_pvalloc, 1, 240)             \
  KEEPS(keep_tc_new, 3, 40 + 41 + 42)        \
  KEEPS(tc_frees, 0, 0)

#define MIMALLOC_FUNCTIONS(KEEPS)            \
  KEEPS(keep_mi_malloc, 2, 2 * 100)          \
  KEEPS(keep_mi_zalloc, 2, 110 + 111)        \
  KEEPS(keep_mi_calloc, 2, 7 * 13 + 5 * 11)  \
  KEEPS(keep_mi_aligned, 2, 120 + 121)       \
  KEEPS(keep_mi_realloc, 3, 5000 + 6 * 20 + 77) \
  KEEPS(keep_mi_heap, 2, 130 + 9 * 3)        \
  KEEPS(keep_mi_new, 2, 140 + 141)           \
  KEEPS(mi_frees, 0, 0)

#endif
