/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The CPU time of each thread of a process, to the microsecond. Plain C, compiled by both sides. */
#ifndef DWELL_BPF_THREAD_TIMES_H
#define DWELL_BPF_THREAD_TIMES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/*
 * The kernel adds up a thread's time when it switches and at ticks, by the task clock of the thread's CPU: the
 * scheduler's clock less what interrupts and the hypervisor took. The scheduler's clock is as fast as
 * CLOCK_MONOTONIC, and counts from another zero. Each CPU's copies of both are from its last switch or tick.
 */
struct dwell_thread_time {
  __u32 tid;
  __u32 running;
  __u64 ran_ns;          /* up to the last time that it was added up */
  __u64 added_up_ns;     /* when that was; task clock of its CPU */
  __u64 now_ns;          /* CLOCK_MONOTONIC */
  __u64 clock_ns;        /* its CPU's copy of the scheduler's clock */
  __u64 task_clock_ns;   /* its CPU's copy of the task clock, from the same moment */
  __u64 reader_clock_ns; /* the copy of the scheduler's clock of the CPU that reads this */
};

#endif /* DWELL_BPF_THREAD_TIMES_H */
