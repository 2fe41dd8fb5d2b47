/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What becomes of threads, as records in the ring buffer: plain C, compiled by both sides. Their end is one
 * of the records that all tracers share. */
#ifndef DWELL_BPF_THREAD_LIFE_H
#define DWELL_BPF_THREAD_LIFE_H

#include "bpf/events.h"

enum { /* dwell_header.type; no other tracer's */
       DWELL_THREAD_CREATED = 64,
       DWELL_THREAD_SETTLED = 65, /* joined or detached */
};

/* How its creator said that it is to end. */
enum dwell_thread_join {
  DWELL_JOIN_UNKNOWN = 0, /* made without pthread_create */
  DWELL_JOIN_EXPECTED,
  DWELL_JOIN_DETACHED,
};

struct dwell_thread_created {
  struct dwell_header h; /* of the creator */
  __u64 time_ns;
  __u32 tid;  /* of the new thread */
  __u32 join; /* dwell_thread_join */
  __u64 thread_pointer;
  __u64 routine; /* that pthread_create was told; 0: not known */
  __u64 stack;
};

struct dwell_thread_settled {
  struct dwell_header h;
  __u64 time_ns;
  __u64 thread_pointer; /* of the thread that is joined or detached */
};

/* Shapes of the probes, in their cookies. */
enum dwell_thread_call {
  DWELL_CALL_PTHREAD_CREATE = 1, /* (thread, attributes, routine, argument) */
  DWELL_CALL_PTHREAD_SETTLE = 2, /* pthread_join and its relatives, pthread_detach: (thread, ...) */
};

DWELL_PIN(struct dwell_thread_created, 48);
DWELL_PIN(struct dwell_thread_settled, 24);

#endif /* DWELL_BPF_THREAD_LIFE_H */
