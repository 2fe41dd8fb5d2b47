/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What programs on functions of the target share that follow a call to its end: how it ended, the stack of its caller, and room in
 * the ring for what came of it.
 */
#ifndef DWELL_BPF_CALL_END_H
#define DWELL_BPF_CALL_END_H

#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/maps.h"
#include "bpf/probe_shapes.h"
#include "bpf/targets.h"
#include "bpf/unwind.h"

/* What begins is sent only while less than this waits in the ring: the rest is kept for what ends. */
const volatile __u64 ring_limit_bytes = ~0ull;

/* How a call ended: the registers of its caller. */
struct call_end {
  __u64 result, pc, sp, bp;
  __u64 hidden; /* pc is the kernel's trampoline: another tool's return probe is pending on the call */
};

/* How full the ring is costs a call, so it is asked for only now and then: between two looks, the probes of
 * all CPUs can't send more than a small part of what is kept for ends. */
#define DWELL_LOOK_EVERY 128
static bool ring_is_short;
static __always_inline __u64 look_at_ring(__u64 hit) {
  if (hit & (DWELL_LOOK_EVERY - 1)) return BPF_RB_NO_WAKEUP;
  __u64 waits = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
  bool is_short = waits >= ring_limit_bytes;
  if (ring_is_short != is_short) ring_is_short = is_short;
  return waits >= DWELL_WAKE_BYTES ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* Room for what begins, or nothing and a counted loss: the last part of the ring is kept for ends. */
static __always_inline bool room_for(enum dwell_loss loss) {
  if (!ring_is_short) return true;
  dwell_count_loss(loss);
  return false;
}

/* The current thread's value in a map of task storage. Null if its process is no target. `joined`: set, if the value is new. */
static __always_inline void *thread_state_in(void *map, struct dwell_target **joined) {
  struct task_struct *task = bpf_get_current_task_btf();
  void *state = bpf_task_storage_get(map, task, NULL, 0);
  if (state) return state;
  *joined = find_target();
  if (!*joined) return NULL;
  state = bpf_task_storage_get(map, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!state) dwell_count_loss(DWELL_LOST_THREAD_STATE);
  return state;
}

/* Global, so that the verifier walks through the unwinder once and not once for each caller. */
__noinline __u64 stack_from(__u64 pc, __u64 sp, __u64 bp, __u64 process_and_tid, __u64 hidden) {
  struct dwell_stack_start start = {.pc = pc, .sp = sp, .bp = bp};
  if (hidden) {
    /* The walk looks behind trampolines from its second frame on: the first one is the call's own. */
    start.sp = sp - 8;
    start.cfa_offset = 8;
    start.flags = DWELL_PC_HIDDEN;
  }
  return dwell_stack(NULL, start, process_and_tid >> 32, (__u32)process_and_tid);
}

static __always_inline __u64 read_word(__u64 address) {
  __u64 word = 0;
  bpf_probe_read_user(&word, sizeof(word), (void *)address);
  return word;
}

/* prepare_uretprobe() in the kernel gives no more, and says so in its log only. */
#define DWELL_MOST_RETURN_PROBES 64
static __always_inline void count_refused_return(void) {
  struct uprobe_task *utask = bpf_get_current_task_btf()->utask;
  if (bpf_core_field_exists(utask->depth) && utask && utask->depth >= DWELL_MOST_RETURN_PROBES)
    dwell_count_loss(DWELL_LOST_RETURN);
}

/* A general register by its number in instructions. By way of the stack, as the verifier lets nobody choose a
 * place in the context while the program runs. */
static __always_inline __u64 register_of(struct pt_regs *ctx, unsigned number) {
  volatile __u64 registers[16] = {ctx->ax, ctx->cx, ctx->dx,  ctx->bx,  ctx->sp,  ctx->bp,  ctx->si,  ctx->di,
                                  ctx->r8, ctx->r9, ctx->r10, ctx->r11, ctx->r12, ctx->r13, ctx->r14, ctx->r15};
  return registers[number & 15];
}

/* Whether the call will return from here without further ado. */
static __always_inline bool returns_from(struct pt_regs *ctx, __u64 cookie) {
  unsigned flags = dwell_probe_flags_of(cookie);
  if (!(flags & DWELL_EXIT_AT_BRANCH) || flags & DWELL_EXIT_ALWAYS) return true;
  return dwell_jump_is_taken(dwell_probe_shape_of(cookie) >> 4, ctx->flags) == !!(flags & DWELL_EXIT_TAKEN);
}

/* By its return probe: the return address has been popped. */
static __always_inline struct call_end end_at_return(struct pt_regs *ctx) {
  struct call_end end = {.result = ctx->ax, .pc = ctx->ip, .sp = ctx->sp, .bp = ctx->bp};
  return end;
}

/* By a probe at one of its exits. `sp` is where the return address lies. */
static __always_inline struct call_end end_at_exit(struct pt_regs *ctx, __u64 cookie, __u64 sp, __u64 return_address) {
  bool at_branch = dwell_probe_flags_of(cookie) & DWELL_EXIT_AT_BRANCH;
  __u64 saved_bp = dwell_probe_span_of(cookie);
  struct call_end end = {.result = at_branch ? register_of(ctx, dwell_probe_shape_of(cookie) & 15) : ctx->ax,
                         .pc = return_address,
                         .sp = sp + 8,
                         .bp = saved_bp ? read_word(ctx->sp + saved_bp - 1) : ctx->bp,
                         .hidden = return_address == dwell_trampoline(bpf_get_current_task_btf())};
  return end;
}

#endif /* DWELL_BPF_CALL_END_H */
