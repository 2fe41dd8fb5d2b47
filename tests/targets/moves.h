/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of moves.c and of its library keep: KEEPS(function, blocks, bytes). */
#ifndef DWELL_TESTS_TARGETS_MOVES_H
#define DWELL_TESTS_TARGETS_MOVES_H

#define MOVES_FUNCTIONS(KEEPS)           \
  KEEPS(keep_before_move, 6, 6 * 90)     \
  KEEPS(keep_in_moved_library, 7, 7 * 56)

/* The child of `fork-in-pid-namespace`, or each of `reuse-pid`. */
#define MOVED_CHILD_FUNCTIONS(KEEPS) KEEPS(keep_in_moved_child, 4, 4 * 72)
#define REUSING_CHILDREN 3
#define REUSED_PID 20000

#endif
