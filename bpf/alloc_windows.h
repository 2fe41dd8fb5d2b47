/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Recording allocations within a budget: what a process's probes may cost, and what a window saw. Plain C,
 * compiled by both sides.
 *
 * Userspace gives each process a level and a limit of hits, and raises the limit as the process earns it by running.
 * Beyond the limit a hit does nothing and asks for no return probe, which halves its price, and the time of the
 * first such hit is kept: up to there everything was seen.
 *
 *     UNBOUNDED  no budget: `budgeted` is false, and nothing of this is looked at
 *     EXACT      every allocation and free goes through the ring buffer
 *     CLOSED     nothing is seen; a probe that is still attached only counts its hit
 *     WINDOW     allocations go into the log of the window, frees are not probed
 */
#ifndef DWELL_BPF_ALLOC_WINDOWS_H
#define DWELL_BPF_ALLOC_WINDOWS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum dwell_level { DWELL_LEVEL_UNBOUNDED = 0, DWELL_LEVEL_EXACT, DWELL_LEVEL_CLOSED, DWELL_LEVEL_WINDOW };

struct dwell_level_state {
  __u64 level; /* dwell_level */
  __u64 hits;  /* since load */
  __u64 limit; /* of hits */
  __u64 cut_ns; /* when the limit was first met; userspace sets it back to 0 */
};
#define DWELL_LEVEL_SLOTS 256

enum dwell_window_event {
  DWELL_WINDOW_ALLOC = 1, /* the block at `address` belongs to the caller now */
  DWELL_WINDOW_GONE = 2,  /* the block at `address` went into a realloc */
};

struct dwell_window_block {
  __u32 window; /* number of the window; written last: without it the rest is not there yet */
  __u32 sleeps; /* how often the thread has gone to sleep in its life */
  __u64 time_ns;
  __u64 address;
  __u64 size;  /* bytes asked for */
  __u64 stack; /* identity of the caller's stack */
  __u32 tid;
  __u16 probe;
  __u8 slot; /* of its process */
  __u8 event;
  __u32 between_ns; /* from when our program was done with the call's entry to when it was reached at its end */
  __u32 program_ns; /* of both of our programs' runs, up to here */
};

#define DWELL_WINDOW_BLOCKS (1 << 15) /* room in the log: events of one window */

#if defined(__cplusplus)
static_assert(sizeof(dwell_window_block) == 56);
static_assert(sizeof(dwell_level_state) == 32);
#else
_Static_assert(sizeof(struct dwell_window_block) == 56, "dwell_window_block");
_Static_assert(sizeof(struct dwell_level_state) == 32, "dwell_level_state");
#endif

#endif /* DWELL_BPF_ALLOC_WINDOWS_H */
