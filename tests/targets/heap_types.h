/* SPDX-License-Identifier: Apache-2.0 */
/* How many of what heap_types keeps. */
#ifndef DWELL_TESTS_TARGETS_HEAP_TYPES_H
#define DWELL_TESTS_TARGETS_HEAP_TYPES_H

#define HT_SESSIONS 143
#define HT_TIMERS 57
#define HT_SHARED 91
#define HT_ARRAYS 7
#define HT_TEXTS 300
#define HT_ZEROS 40
#define HT_NODES 500

#endif
