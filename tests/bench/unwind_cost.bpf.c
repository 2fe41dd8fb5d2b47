/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ways to get at a stack from a probe, side by side. */
#include "bpf/unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct bytes {
  __u8 bytes[32768];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct bytes);
} copies SEC(".maps");

SEC("uprobe")
int nothing(struct pt_regs *ctx) {
  return 0;
}

SEC("uprobe")
int walk(struct pt_regs *ctx) {
  struct dwell_stack_start start = {
      .pc = ctx->ip, .sp = ctx->sp, .bp = ctx->bp, .flags = DWELL_PC_EXACT | DWELL_PC_HIDDEN, .cfa_offset = 8};
  dwell_stack(ctx, start, 1, (__u32)bpf_get_current_pid_tgid());
  return 0;
}

/* The kernel's own, by frame pointer. */
SEC("uprobe")
int kernel_walk(struct pt_regs *ctx) {
  __u32 zero = 0;
  struct bytes *to = bpf_map_lookup_elem(&copies, &zero);
  if (to) bpf_get_stack(ctx, to->bytes, DWELL_MAX_FRAMES * 8, BPF_F_USER_STACK);
  return 0;
}

/* What a profiler that unwinds in userspace copies for each event. */
SEC("uprobe")
int copy_8k(struct pt_regs *ctx) {
  __u32 zero = 0;
  struct bytes *to = bpf_map_lookup_elem(&copies, &zero);
  if (to) bpf_probe_read_user(to->bytes, 8192, (void *)ctx->sp);
  return 0;
}

SEC("uprobe")
int copy_32k(struct pt_regs *ctx) {
  __u32 zero = 0;
  struct bytes *to = bpf_map_lookup_elem(&copies, &zero);
  if (to) bpf_probe_read_user(to->bytes, 32768, (void *)ctx->sp);
  return 0;
}
