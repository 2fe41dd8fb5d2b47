/* SPDX-License-Identifier: Apache-2.0 */
/* How many threads each function of thread_makers creates. */
#ifndef DWELL_TESTS_TARGETS_THREAD_MAKERS_H
#define DWELL_TESTS_TARGETS_THREAD_MAKERS_H

#define MADE_JOINED 7
#define MADE_UNJOINED 5
#define MADE_DETACHED 4
#define MADE_DETACHED_LATER 3
#define MADE_ALIVE 6

#endif /* DWELL_TESTS_TARGETS_THREAD_MAKERS_H */
