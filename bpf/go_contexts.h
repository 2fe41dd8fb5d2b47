/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Contexts (package context of Go) as they are counted in the kernel, from when they are made until they are
 * cancelled: plain C, compiled by both sides.
 */
#ifndef DWELL_BPF_GO_CONTEXTS_H
#define DWELL_BPF_GO_CONTEXTS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* In the cookie of a probe, in the place of a shape. */
enum dwell_go_context_probe {
  DWELL_GO_CONTEXT_MADE =
      1, /* context.(*cancelCtx).propagateCancel: rbx, rcx are the parent, rdi, rsi the child */
  DWELL_GO_CONTEXT_MADE_OLD,  /* context.propagateCancel, up to 1.20: rax, rbx are the parent, rcx, rdi the
                                 child */
  DWELL_GO_CONTEXT_CANCELLED, /* context.(*cancelCtx).cancel: rax is the context */
};

#define DWELL_GO_CONTEXT_PARENTS 4

enum dwell_go_context_end {
  DWELL_GO_CONTEXT_GOES_ON = 0, /* a context of this type begins with its parent */
  DWELL_GO_CONTEXT_ENDS,        /* it has none, or none whose end would end it */
};

struct dwell_go_context_site {
  __u64 stack; /* from the caller of the probed function on */
  __u64 process;
  /* What tells the types: the first words of the interfaces that hold the context, its parent, and so on. */
  __u64 itab;
  __u64 parents[DWELL_GO_CONTEXT_PARENTS];
};

struct dwell_go_context_sums {
  __u64 made;
  __u64 cancelled;
  __u64 collected; /* freed without: another context was made where it had been */
  __u64 lived_ns;  /* of those that were cancelled */
  __u64 longest_ns;
};

struct dwell_go_context_key {
  __u64 address;
  __u64 process;
};

struct dwell_go_context {
  __u64 made_ns;
  struct dwell_go_context_site site;
};

#endif /* DWELL_BPF_GO_CONTEXTS_H */
