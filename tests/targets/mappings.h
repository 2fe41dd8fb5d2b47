/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of mappings.c keep: KEEPS(function, kind, mappings, pages). */
#ifndef DWELL_TESTS_TARGETS_MAPPINGS_H
#define DWELL_TESTS_TARGETS_MAPPINGS_H

#define MAPPING_FUNCTIONS(KEEPS)                        \
  KEEPS(keep_anonymous, "mapping", 2, 2 * 10)           \
  KEEPS(map_and_unmap, "mapping", 0, 0)                 \
  KEEPS(keep_odd_size, "mapping", 1, 3)                 \
  KEEPS(map_refused, "mapping", 0, 0)                   \
  KEEPS(keep_after_refused_unmap, "mapping", 1, 4)      \
  KEEPS(unmap_middle, "mapping", 1, 8)                  \
  KEEPS(unmap_both_ends, "mapping", 1, 5)               \
  KEEPS(unmap_across, "mapping", 2, 6)                  \
  KEEPS(grown_later, "mapping", 0, 0)                   \
  KEEPS(remap_grown, "mapping", 1, 16)                  \
  KEEPS(remap_shrunk, "mapping", 1, 3)                  \
  KEEPS(remap_refused, "mapping", 1, 4)                 \
  KEEPS(place_for_the_move, "reserved", 1, 24)          \
  KEEPS(moved_later, "mapping", 0, 0)                   \
  KEEPS(remap_moved, "mapping", 1, 8)                   \
  KEEPS(remap_leaving_the_old, "mapping", 2, 2 * 5)     \
  KEEPS(mapped_below, "mapping", 1, 5)                  \
  KEEPS(mapped_over, "mapping", 1, 3)                   \
  KEEPS(keep_reservation, "reserved", 1, 1000)          \
  KEEPS(keep_file, "file", 1, 2)                        \
  KEEPS(file_and_unmap, "file", 0, 0)

/* glibc only: musl refuses to move the break. */
#define BREAK_FUNCTIONS(KEEPS)                          \
  KEEPS(keep_sbrk, "mapping", 1, 12)                    \
  KEEPS(keep_brk, "mapping", 1, 6)

#endif
