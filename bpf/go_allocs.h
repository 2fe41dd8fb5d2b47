/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sampled allocations of a Go program that keeps no heap profile: plain C, compiled by both sides.
 *
 * Go allocates small objects from spans of one size, which each processor takes one at a time. A sample is
 * the first object of a span that was just taken; it stands for all that will come out of the span.
 */
#ifndef DWELL_BPF_GO_ALLOCS_H
#define DWELL_BPF_GO_ALLOCS_H

#include "bpf/events.h"

enum { DWELL_GO_ALLOC = 72 }; /* dwell_header.type; no other tracer's */

struct dwell_go_alloc_record {
  struct dwell_header h;
  __u64 time_ns;
  __u64 address; /* of the object; 0: not known */
  __u64 span;
  __u64 element_size;
  __u64 objects; /* that it stands for */
  __u64 stack;
};

/* Where the fields of runtime.mspan stand in a process. */
struct dwell_go_span_layout {
  __u16 free_index, elements, bits, cache, count, element_size;
  __u16 short_numbers; /* the first two are 16 bits wide, not 64 */
  __u16 known;
};

DWELL_PIN(struct dwell_go_alloc_record, 56);

#endif /* DWELL_BPF_GO_ALLOCS_H */
