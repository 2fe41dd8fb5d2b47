/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stacks of Go code, from a probe on one of its functions on. */
#ifndef DWELL_BPF_GO_STACK_H
#define DWELL_BPF_GO_STACK_H

#include "bpf/go_probes.h"
#include "bpf/pid_namespace.h"
#include "bpf/unwind.h"

/* Identity of the stack from the caller of the probed function on. Go code has no unwind tables; every frame
 * but those of leaves has a frame pointer, and that of the outermost one is 0. Global, so that the verifier
 * walks through the unwinder once and not once for each caller. */
__noinline __u64 dwell_go_stack_at(__u64 pc, __u64 sp, __u64 bp, __u64 process) {
  struct dwell_stack_start start = {.pc = pc, .sp = sp, .bp = bp};
  start.flags = DWELL_PC_EXACT | DWELL_PC_HIDDEN;
  start.cfa_offset = DWELL_GO_CFA_OFFSET;
  return dwell_stack(NULL, start, (__u8)process, dwell_current_tid());
}
static __always_inline __u64 dwell_go_stack(struct pt_regs *ctx, __u8 process) {
  return dwell_go_stack_at(ctx->ip, ctx->sp, ctx->bp, process);
}

#endif /* DWELL_BPF_GO_STACK_H */
