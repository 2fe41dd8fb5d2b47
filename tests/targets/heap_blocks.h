/* SPDX-License-Identifier: Apache-2.0 */
/* What heap_blocks tells of its own heap, in a file that it shares with its test. */
#ifndef DWELL_TESTS_TARGETS_HEAP_BLOCKS_H
#define DWELL_TESTS_TARGETS_HEAP_BLOCKS_H

#define HB_THREADS 4
#define HB_SLOTS 6000    /* blocks that a thread allocates */
#define HB_LARGE 8       /* of those of the first thread: mappings of their own */
#define HB_CHURN 2000    /* further blocks of a thread, replaced all the time when it is busy */

struct hb_block {
  unsigned long address, usable;
};

struct hb_truth {
  /* Blocks that live from "ready" to the end. */
  unsigned long live;
  struct hb_block blocks[(HB_THREADS + 1) * HB_SLOTS];
  /* What mallinfo says, where there is one. */
  unsigned long has_mallinfo, arena, mapped_blocks, mapped_bytes, in_use, free_bytes;
  unsigned long jemalloc_allocated; /* its statistics: what is in thread caches counts as allocated */
  unsigned long tcmalloc_allocated; /* the same of tcmalloc, whose thread caches do not count */
  unsigned long operations; /* while busy */
};

#endif
