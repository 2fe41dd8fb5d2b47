/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Page faults of the targets, as records in the ring buffer, and which of them are sent: plain C, compiled by both sides.
 *
 * All of them at first. Where they come faster than DWELL_FAULT_RATE, only those of one page in 2^shift: the pages are chosen
 * by their address, so each fault of a chosen page is seen, and a page that is given back and touched again has one entry.
 */
#ifndef DWELL_BPF_FAULTS_H
#define DWELL_BPF_FAULTS_H

#include "bpf/events.h"

enum { DWELL_FAULT = 96 }; /* dwell_header.type; no other tracer's */

#define DWELL_FAULT_WRITE 1     /* else it was read, or executed */
#define DWELL_FAULT_PROTECTED 2 /* a page was there, and could not be used so: a zero page, or one shared with a child */

#define DWELL_FAULT_RATE 8192   /* faults a second that are sent for any length of time, or fewer: dwell_fault_budget.price_ns */
#define DWELL_FAULT_BURST 32768 /* and so many at once, or fewer: burst */
#define DWELL_FAULT_MOST_SHIFT 12

#define DWELL_FAULT_PAGE_SHIFT 12

struct dwell_fault_record {
  struct dwell_header h; /* probe: the flags above, and the shift in the upper byte */
  __u64 time_ns;
  __u64 address; /* of the page */
  __u64 stack;   /* identity, 0 if it was lost */
};

/* Written by the kernel's side, but for the last three. Races between CPUs make it a little wrong, which does no harm. */
struct dwell_fault_budget {
  __u64 paid_until_ns; /* behind now: there is room for a burst */
  __u64 changed_ns;    /* when the shift was */
  __u64 sent;          /* since then */
  __u32 shift;
  __u32 floor; /* of the shift: userspace has no room for more pages */
  __u64 price_ns; /* one fault is sent in so long, on average: at least a second divided by DWELL_FAULT_RATE */
  __u64 burst;    /* faults that are sent at once, DWELL_FAULT_BURST at most */
};

/* Whether a page is one of those that are chosen. */
static inline __attribute__((always_inline)) int dwell_page_is_chosen(__u64 address, __u32 shift) {
  __u64 word = (address >> DWELL_FAULT_PAGE_SHIFT) * 0x9e3779b97f4a7c15ull;
  return ((word >> 40) & ((1u << shift) - 1)) == 0;
}

DWELL_PIN(struct dwell_fault_record, 32);
DWELL_PIN(struct dwell_fault_budget, 48);

#endif /* DWELL_BPF_FAULTS_H */
