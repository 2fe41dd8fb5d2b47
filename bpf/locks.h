/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values of the map in which waits for locks, and holds, are summed up: plain C, compiled by both sides. */
#ifndef DWELL_BPF_LOCKS_H
#define DWELL_BPF_LOCKS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* What ended a wait. */
enum dwell_lock_wait_end {
  DWELL_LOCK_END_UNKNOWN = 0, /* a timeout, a signal; or nobody was seen to wake it up */
  DWELL_LOCK_END_RELEASED,    /* a thread of a process that is traced, which released the lock */
  DWELL_LOCK_END_OUTSIDE,     /* a thread of another process */
};

struct dwell_lock_wait_site {
  __u64 futex;  /* the word that was waited on */
  __u64 stack;  /* of the thread that waited: identity, 0 if it was lost */
  __u64 holder; /* DWELL_LOCK_END_RELEASED: of the thread that released it, there */
  __u8 process;
  __u8 holder_process;
  __u8 end;      /* dwell_lock_wait_end */
  __u8 relative; /* FUTEX_WAIT, which locks use, and not FUTEX_WAIT_BITSET */
  __u8 unused[4];
};

/* Locks that were held until the thread released them: those that it had waited for, and those that others
 * waited for meanwhile. */
struct dwell_lock_hold_site {
  __u64 futex;
  __u64 stack; /* of the thread, as it took the lock, or of at_least, as it released it: identity, 0 if it was
                  lost */
  __u8 process;
  __u8 at_least; /* it took the lock free: since the first of the others began to wait */
  __u8 unused[6];
};

struct dwell_lock_wait_sums {
  __u64 ns;
  __u64 times;
  __u64 longest_ns;
};

#endif /* DWELL_BPF_LOCKS_H */
