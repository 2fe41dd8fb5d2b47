/* SPDX-License-Identifier: Apache-2.0 */
/* What the program stuck_threads and its tests agree on. */
#ifndef DWELL_TESTS_TARGETS_STUCK_THREADS_H
#define DWELL_TESTS_TARGETS_STUCK_THREADS_H

#define IDLE_WORKERS 5
#define CHURNING 3
#define NAP_MILLISECONDS 20
#define WAKING_PROCESS "wakes_others"
#define SLEEP_SECONDS 3000
#define POLL_MILLISECONDS 2500000

#endif /* DWELL_TESTS_TARGETS_STUCK_THREADS_H */
