/* SPDX-License-Identifier: Apache-2.0 */
/* How often pairs.c and pairs_cxx.cpp take and give back what. */
#ifndef DWELL_TESTS_TARGETS_PAIRS_H
#define DWELL_TESTS_TARGETS_PAIRS_H

/* calls: */
#define PAIRS_BEFORE 7        /* taken before "ready", and given back after it */
#define PAIRS_TAKEN 100       /* conn_get, of them */
#define PAIRS_KEPT 13         /* are not given back */
#define PAIRS_FAILED 9        /* and so many calls fail besides */
#define PAIRS_SIZE 24         /* of each */
#define PAIRS_FORWARDED 20    /* conn_get_default, which calls conn_get */
#define PAIRS_OBJECTS 30      /* obj_new; each is given to a second holder by obj_ref, and unreferenced twice */
#define PAIRS_FORGOTTEN 4     /* of them: the second holder forgets it */
#define PAIRS_STORED 40       /* buf_open stores it; all but */
#define PAIRS_STORED_KEPT 5   /* are closed; and as many calls fail */
#define PAIRS_SLOTS 16        /* slot_take: numbers from 0; then it fails twice; all but */
#define PAIRS_SLOTS_KEPT 1    /* are dropped: the first, which is 0 */
#define PAIRS_THREADS 4       /* take and give back at the same time */
#define PAIRS_THREAD_TIMES 5000
/* leak: one in */
#define PAIRS_ONE_IN 1000
#define PAIRS_CACHE 40
/* pairs_cxx: */
#define PAIRS_CXX_BY_NUMBER 50
#define PAIRS_CXX_BY_NAME 20  /* the overload calls that by number */
#define PAIRS_CXX_KEPT 6      /* of those by number */
#define PAIRS_CXX_THROWN 11   /* get throws */
#define PAIRS_CXX_OTHER 8     /* taken of a pool of another type, and kept */

#endif /* DWELL_TESTS_TARGETS_PAIRS_H */
