/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of leaks.c and leaks_cxx.cpp leave unfreed when the program ends: LEAKS(function, blocks, bytes). */
#ifndef DWELL_TESTS_TARGETS_LEAKS_H
#define DWELL_TESTS_TARGETS_LEAKS_H

#define LEAKS_IN_C(LEAKS)                   \
  LEAKS(leak_before_main, 3, 3 * 500)       \
  LEAKS(leak_malloc, 10, 10 * 100)          \
  LEAKS(leak_calloc, 5, 5 * 8 * 20)         \
  LEAKS(leak_realloc, 3, 3 * 700)           \
  LEAKS(leak_posix_memalign, 2, 2 * 256)    \
  LEAKS(leak_strdup, 7, 7 * 6)              \
  LEAKS(leak_list, 50, 50 * 32)             \
  LEAKS(leak_in_thread, 20, 20 * 90)        \
  LEAKS(leak_by_one_helper, 4, 4 * 41)      \
  LEAKS(leak_by_other_helper, 6, 6 * 43)    \
  LEAKS(leak_nothing, 0, 0)

#define LEAKS_IN_CXX(LEAKS)                 \
  LEAKS(leak_in_constructor, 1, 2000)       \
  LEAKS(leak_new, 10, 10 * 64)              \
  LEAKS(leak_array, 4, 4 * 480)             \
  LEAKS(leak_vector, 1, 4000)               \
  LEAKS(leak_string, 3, 3 * 301)            \
  LEAKS(leak_map, 100, 100 * 48)            \
  LEAKS(leak_in_thread, 20, 20 * 90)        \
  LEAKS(leak_nothing, 0, 0)

#endif
