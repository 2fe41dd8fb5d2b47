/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts the hits of probes on functions of dwell's own, so that it is known before a target is touched
 * which ways to attach work here and what each costs.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/pid_namespace.h"
#include "bpf/probe_shapes.h"
#include "bpf/session.h"

#define MAX_PROBES 256

/* Indexed by the probe index of the cookie. */
__u64 entries[MAX_PROBES];
__u64 returns[MAX_PROBES];
__u64 last_address[MAX_PROBES]; /* argument 0 at the last entry */
__u64 last_size[MAX_PROBES];    /* what the shape says is asked for; 0 where it has no size */
__u64 last_return[MAX_PROBES];  /* return address found by the cookie's CFA offset at the last entry */
#define BETWEENS 64
__u64 entered_ns;             /* when our program was done with the last entry */
__u64 between_ns[BETWEENS];   /* from then to its return program, of the last calls */
__u64 betweens;
__u64 foreign; /* hits in another process than the one asked for */

const volatile __u32 expected_tgid = 0; /* 0: any */

static __u64 size_by_shape(struct pt_regs *ctx, unsigned shape) {
  switch (shape) {
    case DWELL_SHAPE_SIZE_ARG0:
      return ctx->di;
    case DWELL_SHAPE_SIZE_ARG1:
    case DWELL_SHAPE_REALLOC_ARG0_ARG1:
    case DWELL_SHAPE_REALLOCF:
    case DWELL_SHAPE_XALLOCX:
    case DWELL_SHAPE_MMAP:
    case DWELL_SHAPE_MUNMAP:
      return ctx->si;
    case DWELL_SHAPE_MEMALIGN_OUT:
    case DWELL_SHAPE_REALLOC_ARG1_ARG2:
    case DWELL_SHAPE_MREMAP:
      return ctx->dx;
    case DWELL_SHAPE_PRODUCT_ARG0_ARG1:
      return ctx->di * ctx->si;
    case DWELL_SHAPE_PRODUCT_ARG1_ARG2:
    case DWELL_SHAPE_REALLOCARRAY:
      return ctx->si * ctx->dx;
    case DWELL_SHAPE_REALLOCARRAY_ARG1:
      return ctx->dx * ctx->cx;
    default:
      return 0;
  }
}

static int count_entry(struct pt_regs *ctx, __u64 cookie) {
  __u32 index = dwell_probe_index_of(cookie) % MAX_PROBES;
  if (expected_tgid && dwell_current_tgid() != expected_tgid) {
    __sync_fetch_and_add(&foreign, 1);
    return 1;
  }
  __sync_fetch_and_add(&entries[index], 1);
  last_address[index] = ctx->di;
  last_size[index] = size_by_shape(ctx, dwell_probe_shape_of(cookie));
  bpf_probe_read_user(&last_return[index], sizeof(__u64), (void *)(ctx->sp + dwell_probe_cfa_offset_of(cookie) - 8));
  entered_ns = bpf_ktime_get_ns();
  return dwell_probe_flags_of(cookie) & DWELL_PROBE_RETURNS ? 0 : 1;
}

static int count_return(__u64 cookie) {
  between_ns[betweens++ % BETWEENS] = bpf_ktime_get_ns() - entered_ns;
  __sync_fetch_and_add(&returns[dwell_probe_index_of(cookie) % MAX_PROBES], 1);
  return 0;
}

SEC("uprobe")
int on_entry(struct pt_regs *ctx) {
  count_entry(ctx, bpf_get_attach_cookie(ctx));
  return 0;
}

SEC("uprobe")
int on_return(struct pt_regs *ctx) { return count_return(bpf_get_attach_cookie(ctx)); }

SEC("uprobe")
int on_exit(struct pt_regs *ctx) { return count_return(bpf_get_attach_cookie(ctx)); }

SEC("uprobe")
int on_session(struct pt_regs *ctx) {
  __u64 cookie = bpf_get_attach_cookie(ctx);
  if (dwell_at_return(ctx)) return count_return(cookie);
  return count_entry(ctx, cookie);
}

/* For prices: what the trap alone costs. */
SEC("uprobe")
int empty_entry(struct pt_regs *ctx) { return 0; }

SEC("uprobe")
int empty_return(struct pt_regs *ctx) { return 0; }

SEC("uprobe")
int empty_session(struct pt_regs *ctx) {
  return dwell_probe_flags_of(bpf_get_attach_cookie(ctx)) & DWELL_PROBE_RETURNS ? 0 : 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
