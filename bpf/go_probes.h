/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes on Go functions (userspace/probes/go_placement.h): what their cookie says, and what a program can
 * tell from the registers there. Plain C, compiled by both sides.
 *
 * By Go's internal convention of amd64, since 1.17, arguments come in rax, rbx, rcx, rdi, rsi, r8 to r11, and
 * r14 is the goroutine. Return probes are never used: the runtime finds their trampoline on its stacks and
 * ends the program.
 */
#ifndef DWELL_BPF_GO_PROBES_H
#define DWELL_BPF_GO_PROBES_H

#include "bpf/probe_shapes.h"

/* In the flags of dwell_probe_cookie(); its shape is the tracer's own number for the function. */
#define DWELL_GO_AT_STACK_CHECK 0x80

#define DWELL_GO_CFA_OFFSET 8 /* the return address is at rsp wherever such a probe stands */

#ifdef __bpf__
#include "bpf/vmlinux.h"

/* False: the stack is too small, it will be grown, and the function begun anew. */
static __always_inline bool dwell_go_entered(struct pt_regs *ctx, __u64 cookie) {
  const __u64 kCarry = 0x01, kZero = 0x40; /* of eflags: jbe looks at both */
  return !(dwell_probe_flags_of(cookie) & DWELL_GO_AT_STACK_CHECK) || !(ctx->flags & (kCarry | kZero));
}
#endif

#endif /* DWELL_BPF_GO_PROBES_H */
