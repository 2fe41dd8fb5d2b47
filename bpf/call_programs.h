/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs of an object that follows calls from their entry to their end (userspace/probes/probe_programs.h). Whoever includes
 * this has defined entered(), which says whether the return is of no interest, returned() and exited().
 */
#ifndef DWELL_BPF_CALL_PROGRAMS_H
#define DWELL_BPF_CALL_PROGRAMS_H

#include "bpf/session.h"
#include "bpf/thread_stack.h"

/* Entry and return in one, where the kernel has uprobe sessions. */
SEC("uprobe")
int on_call(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  return dwell_at_return(ctx) ? returned(ctx) : entered(ctx);
}

/* What returns nothing of interest, and the entry of everything where there are no sessions: then each call
 * comes back, whether that is of interest or not. */
SEC("uprobe")
int on_entry(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  entered(ctx);
  return 0;
}

SEC("uprobe")
int on_return(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  return returned(ctx);
}

SEC("uprobe")
int on_exit(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  return exited(ctx);
}

#endif /* DWELL_BPF_CALL_PROGRAMS_H */
