/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs stuck_locks and stuck_cxx_locks and their tests agree on. */
#ifndef DWELL_TESTS_TARGETS_STUCK_LOCKS_H
#define DWELL_TESTS_TARGETS_STUCK_LOCKS_H

#define CONVOY_WAITERS 4
#define BARRIER_COUNT 3
#define BARRIER_COME 2
#define READERS 2
#define HARD_LOCKERS 4
#define HARD_LOCKS 3
#define ACCOUNT_LOCK_AT 40
#define ALLOCATED 100000
#define WORKERS 3

#endif /* DWELL_TESTS_TARGETS_STUCK_LOCKS_H */
