/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values of the maps in which blocked time is summed up: plain C, compiled by both sides. */
#ifndef DWELL_BPF_BLOCKED_H
#define DWELL_BPF_BLOCKED_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* In whose context a thread was woken up. */
enum dwell_waker {
  DWELL_WAKER_UNKNOWN = 0, /* it was not seen: the thread had not quite gone to sleep */
  DWELL_WAKER_THREAD,      /* of a process that is traced */
  DWELL_WAKER_OUTSIDE,     /* a thread of another process */
  DWELL_WAKER_KERNEL,      /* a thread of the kernel */
  DWELL_WAKER_INTERRUPT,   /* no thread at all: a timer, or a device */
};

/* Where a thread blocked, and who ended that. */
struct dwell_blocked_site {
  __u64 stack; /* identity, 0 if it was lost; or what userspace calls it */
  __u64 waker; /* DWELL_WAKER_THREAD: identity of its stack; of others the process, by the kernel's own id */
  __u8 process;
  __u8 waker_process; /* of DWELL_WAKER_THREAD */
  __u8 waker_kind;    /* dwell_waker */
  __u8 known;         /* userspace saw it wait already, and named the stack */
  __u8 unused[4];
};

struct dwell_blocked_thread {
  __u64 since_ns; /* 0: it is not blocked */
  struct dwell_blocked_site site;
};

struct dwell_blocked_time {
  __u64 ns;
  __u64 times;
};

struct dwell_waker_name {
  __u32 pid; /* 0: it is not in userspace's PID namespace */
  char name[16];
};

#endif /* DWELL_BPF_BLOCKED_H */
