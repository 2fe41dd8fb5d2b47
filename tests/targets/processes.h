/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of processes.c keep: KEEPS(function, blocks, bytes). */
#ifndef DWELL_TESTS_TARGETS_PROCESSES_H
#define DWELL_TESTS_TARGETS_PROCESSES_H

/* processes fork: the parent's own, whatever its child does. */
#define PARENT_FUNCTIONS(KEEPS)          \
  KEEPS(keep_before_fork, 8, 8 * 100)    \
  KEEPS(keep_in_parent, 4, 4 * 30)       \
  KEEPS(keep_in_child, 0, 0)

/* The child's: of ten inherited blocks it frees five. */
#define CHILD_FUNCTIONS(KEEPS)           \
  KEEPS(keep_before_fork, 5, 5 * 100)    \
  KEEPS(keep_in_parent, 0, 0)            \
  KEEPS(keep_in_child, 3, 3 * 70)
#define INHERITED_BLOCKS 10
#define INHERITED_BYTES (10 * 100)

/* processes vfork: the child becomes another program; its parent stands still meanwhile. */
#define VFORK_FUNCTIONS(KEEPS)           \
  KEEPS(keep_before_vfork, 5, 5 * 20)    \
  KEEPS(keep_after_vfork, 2, 2 * 44)

/* processes exec PROGRAM: nothing of it is left in PROGRAM. */
#define EXEC_FUNCTION "keep_before_exec"
#define EXEC_BLOCKS 10
#define EXEC_BYTES (10 * 80)

/* processes load LIBRARY: LIBRARY's own allocator. */
#define LATE_FUNCTIONS(KEEPS)            \
  KEEPS(keep_of_late_library, 5, 5 * 60) \
  KEEPS(late_and_freed, 0, 0)

#endif
