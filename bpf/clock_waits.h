/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a system call with a timeout asks for: how long or until when, by which clock. */
#ifndef DWELL_BPF_CLOCK_WAITS_H
#define DWELL_BPF_CLOCK_WAITS_H

/* clang-format off: libbpf's headers need the types of vmlinux.h. */
#include <bpf/bpf_helpers.h>

#include "bpf/clocks.h"
#include "bpf/vmlinux.h"
/* clang-format on */

struct dwell_timed_call {
  __u64 time_ns; /* how long, or until when if absolute */
  __u64 out;
  __u8 call;
  __u8 clock;
  __u8 absolute;
  __u8 ends; /* false: no timeout, or nothing that waits */
  __u8 unreadable; /* there may be a timeout, which could not be read */
};

struct dwell_timespec {
  __s64 seconds, fraction;
};

#define DWELL_FOREVER_NS (1ull << 62)

static __always_inline __u64 dwell_scaled_ns(__s64 seconds, __s64 fraction, __u64 unit) {
  if (seconds < 0) return 0;
  if (seconds > (__s64)(DWELL_FOREVER_NS / 1000000000)) return DWELL_FOREVER_NS;
  return (__u64)seconds * 1000000000 + (__u64)fraction * unit;
}

/* A timespec (unit 1) or a timeval (unit 1000); none: it never ends. */
static __always_inline void dwell_read_time(struct dwell_timed_call *timed, __u64 address, __u64 unit) {
  struct dwell_timespec time = {};
  if (!address) return;
  if (bpf_probe_read_user(&time, sizeof(time), (void *)address)) {
    timed->unreadable = 1;
    return;
  }
  timed->time_ns = dwell_scaled_ns(time.seconds, time.fraction, unit);
  timed->ends = 1;
}

static __always_inline void dwell_milliseconds(struct dwell_timed_call *timed, __s32 ms) {
  timed->ends = ms >= 0;
  timed->time_ns = (__u64)ms * 1000000;
}

/* The operations of <linux/futex.h> that wait. */
static __always_inline void dwell_parse_futex(struct dwell_timed_call *timed, __u64 operation,
                                              __u64 timeout) {
  int command = operation & 127;
  if (command == 0 /* FUTEX_WAIT */) {
    dwell_read_time(timed, timeout, 1);
  } else if (command == 9 /* WAIT_BITSET */ || command == 6 /* LOCK_PI */ || command == 13 /* LOCK_PI2 */ ||
             command == 11 /* WAIT_REQUEUE_PI */) {
    dwell_read_time(timed, timeout, 1);
    timed->absolute = 1;
    timed->clock = command == 6 || operation & 256 /* FUTEX_CLOCK_REALTIME */ ? 0 : 1;
  }
}

static __always_inline __u8 dwell_wait_clock(__u64 argument) {
  __s32 id = (__s32)argument;
  return id >= 0 && id < 32 ? id : DWELL_CLOCK_DYNAMIC;
}

static __always_inline void dwell_parse_timed_call(struct dwell_timed_call *timed, __u64 a0, __u64 a1,
                                                   __u64 a2, __u64 a3, __u64 a4, __u64 a5) {
  switch (timed->call) {
    case DWELL_CALL_NANOSLEEP:
      dwell_read_time(timed, a0, 1);
      break;
    case DWELL_CALL_CLOCK_NANOSLEEP:
      dwell_read_time(timed, a2, 1);
      timed->clock = dwell_wait_clock(a0);
      timed->absolute = a1 & 1;
      break;
    case DWELL_CALL_POLL:
      dwell_milliseconds(timed, (__s32)a2);
      break;
    case DWELL_CALL_EPOLL_WAIT:
      dwell_milliseconds(timed, (__s32)a3);
      break;
    case DWELL_CALL_PPOLL:
      dwell_read_time(timed, a2, 1);
      break;
    case DWELL_CALL_EPOLL_PWAIT2:
    case DWELL_CALL_SEMTIMEDOP:
      dwell_read_time(timed, a3, 1);
      break;
    case DWELL_CALL_SELECT:
      dwell_read_time(timed, a4, 1000);
      break;
    case DWELL_CALL_PSELECT:
      dwell_read_time(timed, a4, 1);
      break;
    case DWELL_CALL_IO_GETEVENTS:
      dwell_read_time(timed, a4, 1);
      break;
    case DWELL_CALL_SIGTIMEDWAIT:
      dwell_read_time(timed, a2, 1);
      break;
    case DWELL_CALL_MQ_TIMED:
      dwell_read_time(timed, a4, 1);
      timed->absolute = 1;
      timed->clock = 0;
      break;
    case DWELL_CALL_FUTEX:
      dwell_parse_futex(timed, a1, a3);
      break;
    case DWELL_CALL_FUTEX_WAITV:
      dwell_read_time(timed, a3, 1);
      timed->clock = dwell_wait_clock(a4);
      timed->absolute = 1;
      break;
    /* An interval of zero disarms the timer; else the first expiry stands behind the interval. */
    case DWELL_CALL_TIMERFD_SETTIME:
    case DWELL_CALL_TIMER_SETTIME:
      dwell_read_time(timed, a2 ? a2 + 16 : 0, 1);
      timed->absolute = a1 & 1;
      timed->ends = timed->ends && timed->time_ns;
      break;
    case DWELL_CALL_SETITIMER:
      if (a0) break; /* only ITIMER_REAL goes by a clock of the machine */
      dwell_read_time(timed, a1 ? a1 + 16 : 0, 1000);
      timed->ends = timed->ends && timed->time_ns;
      break;
    case DWELL_CALL_ALARM:
      timed->time_ns = (__u64)(__u32)a0 * 1000000000;
      timed->ends = (__u32)a0 != 0;
      break;
    case DWELL_CALL_TIMERFD_CREATE:
      timed->clock = dwell_wait_clock(a0);
      timed->ends = 1;
      break;
    case DWELL_CALL_TIMER_CREATE:
      timed->clock = dwell_wait_clock(a0);
      timed->out = a2;
      timed->ends = 1;
      break;
  }
}

/* Whether the wait lasted to its end, rather than what it waited for having come, or a signal. */
static __always_inline bool dwell_timed_out(__u8 call, __s64 result) {
  switch (call) {
    case DWELL_CALL_FUTEX:
    case DWELL_CALL_FUTEX_WAITV:
    case DWELL_CALL_MQ_TIMED:
      return result == -110; /* ETIMEDOUT */
    case DWELL_CALL_SIGTIMEDWAIT:
    case DWELL_CALL_SEMTIMEDOP:
      return result == -11; /* EAGAIN */
    default:
      return result == 0;
  }
}

static __always_inline __u32 dwell_time_bucket(__u64 ns) {
  __u32 bucket = 0;
  if (ns >> 32) bucket += 32, ns >>= 32;
  if (ns >> 16) bucket += 16, ns >>= 16;
  if (ns >> 8) bucket += 8, ns >>= 8;
  if (ns >> 4) bucket += 4, ns >>= 4;
  if (ns >> 2) bucket += 2, ns >>= 2;
  if (ns >> 1) bucket += 1;
  return bucket < DWELL_TIME_BUCKETS ? bucket : DWELL_TIME_BUCKETS - 1;
}

#endif /* DWELL_BPF_CLOCK_WAITS_H */
