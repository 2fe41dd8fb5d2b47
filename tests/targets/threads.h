/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of threads.c keep: KEEPS(function, blocks, bytes). */
#ifndef DWELL_TESTS_TARGETS_THREADS_H
#define DWELL_TESTS_TARGETS_THREADS_H

#define WORKERS 4
#define SLOTS 1000
#define EXCHANGES 50000 /* by each worker */
#define MAPPINGS 5000    /* by each worker */
#define INTERRUPTED_CALLS 100000

#define THREAD_FUNCTIONS(KEEPS)                        \
  KEEPS(keep_in_ended_thread, WORKERS * 100, WORKERS * 100 * 48) \
  KEEPS(allocate_for_another, 0, 0)                    \
  KEEPS(exchange_blocks, SLOTS, SLOTS * 40)            \
  KEEPS(resize_blocks, 0, 0)                           \
  KEEPS(settle_sizes, SLOTS, SLOTS * 64)               \
  KEEPS(interrupted_by_signals, 100, 100 * 56)

/* All that each of them does: DOES(function, allocations, frees of what it allocated). */
#define THREAD_CALLS(DOES)                                                      \
  DOES(allocate_for_another, WORKERS * 500, WORKERS * 500)                      \
  DOES(exchange_blocks, WORKERS * EXCHANGES, WORKERS * EXCHANGES - SLOTS)       \
  DOES(interrupted_by_signals, INTERRUPTED_CALLS, INTERRUPTED_CALLS - 100)

#endif
