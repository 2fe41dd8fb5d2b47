/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Since Linux 6.13 a program of a probe that needs more than 64 bytes of stack gets a private one per CPU.
 * But programs of uprobes can be preempted, and the next thread's program on that CPU then overwrites it: the
 * first goes on with pointers of the other, and the kernel ends its thread, or panics. A program that has a
 * tail call gets no private stack, but the thread's own, which is enough: Linux 6.1 has no other. This tail
 * call is never made. Its condition is a constant for the verifier, which removes it.
 */
#ifndef DWELL_BPF_THREAD_STACK_H
#define DWELL_BPF_THREAD_STACK_H

#include "bpf/vmlinux.h"
#include <bpf/bpf_helpers.h>

static const volatile bool dwell_never = false;

/* First in every program of a uprobe. */
static __always_inline void dwell_use_thread_stack(void *ctx) {
  if (dwell_never) bpf_tail_call(ctx, NULL, 0);
}

#endif /* DWELL_BPF_THREAD_STACK_H */
