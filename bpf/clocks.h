/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the clock tracer counts in the kernel, and the few records that it sends. Plain C, compiled by both
 * sides.
 *
 * Reads and waits are sums in maps, never events: a clock can be the hottest call of a program. Only stacks,
 * the first time that one is met, and the calls that set a clock go through the ring.
 */
#ifndef DWELL_BPF_CLOCKS_H
#define DWELL_BPF_CLOCKS_H

#include "bpf/events.h"

/* The calls that deal with clocks. In the cookie of a probe, and in the keys of the maps. */
enum dwell_clock_call {
  DWELL_CALL_NONE = 0,

  /* reads, by function */
  DWELL_CALL_CLOCK_GETTIME = 1,
  DWELL_CALL_GETTIMEOFDAY,
  DWELL_CALL_TIME,
  /* the same by system call: no vDSO, or a clock that it can't tell */
  DWELL_CALL_SYS_CLOCK_GETTIME,
  DWELL_CALL_SYS_GETTIMEOFDAY,
  DWELL_CALL_SYS_TIME,
  DWELL_CALL_VDSO, /* found in the vDSO by sampling */

  /* sleeps */
  DWELL_CALL_NANOSLEEP,
  DWELL_CALL_CLOCK_NANOSLEEP,
  /* waits for something else, that end when the time is over */
  DWELL_CALL_POLL,
  DWELL_CALL_PPOLL,
  DWELL_CALL_SELECT,
  DWELL_CALL_PSELECT,
  DWELL_CALL_EPOLL_WAIT, /* epoll_pwait too */
  DWELL_CALL_EPOLL_PWAIT2,
  DWELL_CALL_FUTEX,
  DWELL_CALL_FUTEX_WAITV,
  DWELL_CALL_SIGTIMEDWAIT,
  DWELL_CALL_SEMTIMEDOP,
  DWELL_CALL_MQ_TIMED,
  DWELL_CALL_IO_GETEVENTS,
  /* timers: they are armed, and nobody waits in the call */
  DWELL_CALL_TIMERFD_SETTIME,
  DWELL_CALL_TIMER_SETTIME,
  DWELL_CALL_SETITIMER,
  DWELL_CALL_ALARM,

  /* what tells which clock a timer goes by */
  DWELL_CALL_TIMERFD_CREATE,
  DWELL_CALL_TIMER_CREATE,

  DWELL_CALL_RESTART, /* restart_syscall: goes on with a wait that a signal stopped */

  /* calls that set or steer a clock; of any process */
  DWELL_CALL_SETTIMEOFDAY,
  DWELL_CALL_CLOCK_SETTIME,
  DWELL_CALL_ADJTIMEX,
  DWELL_CALL_CLOCK_ADJTIME,
  DWELL_CLOCK_CALLS
};

/* In the cookie of a probe, where dwell_probe_cookie() has nothing: bytes of the function from the probe to
 * its end. */
#define DWELL_CODE_BEHIND_SHIFT 48
#define DWELL_CODE_BEHIND_MOST 0xffffu

#define DWELL_MAX_SYSCALLS 512

#define DWELL_CLOCK_DYNAMIC 254 /* a clock of a process, a thread or a device */
#define DWELL_CLOCK_UNKNOWN 255

/* A thread that reads so often that the probe itself slows it down is counted by itself, so that it can be
 * told by how much. Its reads have its tid, those of all others 0. */
struct dwell_read_key {
  __u64 stack;
  __u32 hot_tid;
  __u8 process;
  __u8 clock;
  __u8 call; /* dwell_clock_call */
  __u8 unused;
};

#define DWELL_TIME_BUCKETS 44 /* bucket i: [2^i, 2^(i+1)) ns; the last: all above, an hour and more */

struct dwell_wait_key {
  __u64 stack;
  __u32 unused;
  __u8 process;
  __u8 clock;
  __u8 call;
  __u8 absolute;
};
struct dwell_wait_stats {
  __u64 count;
  __u64 timed_out; /* slept or waited to the end */
  __u64 asked_ns;
  __u64 got_ns;
  __u64 over_ns;     /* beyond the deadline, of those that timed out */
  __u64 max_over_ns; /* and the worst of them: */
  __u64 max_over_asked_ns;
  __u32 max_over_tid;
  __u32 spanned_step; /* the clock was set while the wait was under way */
  __u64 over[DWELL_TIME_BUCKETS];
};

/* A wait that is under way, by tid. */
struct dwell_open_wait {
  __u64 start_ns;
  __u64 asked_ns;
  struct dwell_wait_key key;
  __u64 out; /* timer_create: where the timer's number will be */
  __u32 steps;
  __u32 tgid;
  __u32 stopped;    /* by a signal; unless it is restarted, it is over */
  __u32 unreadable; /* what it asks for */
};

/* Two reads of the wall clock that one call frame made one after the other. */
struct dwell_pair_key {
  __u64 first, second; /* stacks */
  __u64 process;
};
struct dwell_pair_stats {
  __u64 count;
  __u64 total_ns;
  __u64 max_ns;
  __u64 spanned_step;
  __s64 spanned_by_ns; /* the size of the last such step */
  __u64 lengths[DWELL_TIME_BUCKETS];
};

struct dwell_timer_key {
  __u32 tgid;
  __u32 call; /* DWELL_CALL_TIMERFD_CREATE or DWELL_CALL_TIMER_CREATE */
  __u64 id;   /* descriptor or timer */
};

/* Samples of the CPU's clock in the target: how many, and how many in the vDSO, whose probes the kernel
 * refuses. */
struct dwell_sample_totals {
  __u64 all;
  __u64 in_kernel;
  __u64 in_vdso;
};

struct dwell_vdso_range {
  __u64 start, end;
};

enum { DWELL_CLOCK_SET = 48 }; /* dwell_header.type; no other tracer's */

#define DWELL_SETTER_FRAMES 16
struct dwell_clock_set_record {
  struct dwell_header h; /* process: the slot of a target, or DWELL_NO_SLOT */
  __u64 time_ns;         /* CLOCK_MONOTONIC when the call returned */
  __u64 boot_ns;
  __s64 step_ns; /* by which the wall clock went ahead of CLOCK_MONOTONIC in the call */
  __s64 result;
  __s64 offset, frequency; /* adjtimex's, as they were handed in */
  __u32 tgid, uid;
  __u32 modes;
  __s32 status;
  __u32 call;                     /* dwell_clock_call */
  __s32 clock;                    /* clock_settime, clock_adjtime: which */
  __u64 stack;                    /* of a target; else 0, and */
  __u64 pcs[DWELL_SETTER_FRAMES]; /* as far as frame pointers lead */
  char comm[16];
};

/* Index of the clock tracer's own losses. */
enum dwell_clock_loss {
  DWELL_CLOCK_LOST_READS = 0, /* the map of call sites is full */
  DWELL_CLOCK_LOST_WAITS,
  DWELL_CLOCK_LOST_PAIRS,
  DWELL_CLOCK_LOST_SETS,
  DWELL_CLOCK_LOST_THREADS,
  DWELL_CLOCK_LOST_TIMERS,    /* which clock a timer goes by */
  DWELL_CLOCK_LOST_ARGUMENTS, /* what a call asked for could not be read */
  DWELL_CLOCK_LOST_KINDS
};

DWELL_PIN(struct dwell_read_key, 16);
DWELL_PIN(struct dwell_wait_key, 16);
DWELL_PIN(struct dwell_wait_stats, 64 + 8 * DWELL_TIME_BUCKETS);
DWELL_PIN(struct dwell_clock_set_record, 232);

#endif /* DWELL_BPF_CLOCKS_H */
