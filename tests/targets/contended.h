/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for which lock in contended.c, how often, and who holds it. With "done" it says for how many ns waits_and_keeps kept it. */
#ifndef DWELL_TESTS_TARGETS_CONTENDED_H
#define DWELL_TESTS_TARGETS_CONTENDED_H

#define CONTENDED_TIMES 25        /* waits_for_queue, for queue_lock, which holds_queue holds */
#define CONTENDED_ON_HEAP 10      /* waits_for_session, for the mutex in what makes_session allocates, which holds_session holds */
#define CONTENDED_READS 8         /* reads_prices, for the rwlock prices, which writes_prices holds */
#define CONTENDED_KEEPS 15        /* waits_and_keeps: the mutex kept, which holds_kept holds, and keeps it for CONTENDED_KEEPS_MS */
#define CONTENDED_KEEPS_MS 3
#define CONTENDED_CONDITIONS 30   /* waits for a condition variable: these are for no lock */
#define CONTENDED_FREE 100000     /* lockings that nobody held up, or as many as its argument says */

#endif /* DWELL_TESTS_TARGETS_CONTENDED_H */
