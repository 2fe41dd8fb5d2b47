/* SPDX-License-Identifier: Apache-2.0 */
/* What holders.cpp keeps. How much that is, it says itself: "truth NAME BLOCKS BYTES" for each holder. */
#ifndef DWELL_TESTS_TARGETS_HOLDERS_H
#define DWELL_TESTS_TARGETS_HOLDERS_H

#define HO_SESSIONS 1430  /* in a map that the global `registry` has */
#define HO_LIST 5000      /* nodes of a ring that the global `recent` points to from both ends */
#define HO_TREE 2000      /* nodes that know their parent; the global `tree` points to the root */
#define HO_SHARED 30      /* blocks that the globals `left` and `right` both point to */
#define HO_SHARED_SIZE 3000

/* When a line comes. */
#define HO_DIED 200       /* sessions */
#define HO_BORN 700       /* blocks that the global `born` holds */
#define HO_BORN_SIZE 10000

#endif
