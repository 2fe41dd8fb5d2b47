/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of sampled.c keep, until they are told to free it all: KEEPS(function, blocks, bytes). */
#ifndef DWELL_TESTS_TARGETS_SAMPLED_H
#define DWELL_TESTS_TARGETS_SAMPLED_H

#define SAMPLE_BYTES 16384

#define SAMPLED_FUNCTIONS(KEEPS)                 \
  KEEPS(keep_small, 40000, 40000 * 48)           \
  KEEPS(keep_medium, 4000, 4000 * 1000)          \
  KEEPS(keep_large, 300, 300 * 30000)            \
  KEEPS(keep_reallocated, 4000, 4000 * 700)      \
  KEEPS(keep_array, 4000, 4000 * 800)            \
  KEEPS(keep_beyond_heap, 20, 20 * 1000000)

#endif
