/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks the stack at any probe, counts and times the walks, and now and then stops the thread so that a
 * debugger can say what it thinks of the same stack.
 */
#include "bpf/unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 process = 1;
volatile __u32 stop_every = 0; /* stop the thread at every n-th hit; 0: never */
volatile __u32 stop_limit = 0;
__u32 hits_until_stop = 0;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1 << 20);
  __type(key, __u64); /* stack */
  __type(value, __u64);
} hits SEC(".maps");

/* What every stop was for, oldest first. */
struct stop {
  __u64 stack;
  __u32 tid;
  __u32 unused;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, struct stop);
} stops SEC(".maps");
__u32 stop_count = 0;

/* Nanoseconds of a walk, in steps of 10. */
#define TIME_BUCKETS 4096
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, TIME_BUCKETS);
  __type(key, __u32);
  __type(value, __u64);
} times SEC(".maps");

static __always_inline void count_time(__u64 ns) {
  __u32 bucket = ns / 10 < TIME_BUCKETS ? ns / 10 : TIME_BUCKETS - 1;
  __u64 *count = bpf_map_lookup_elem(&times, &bucket);
  if (count) *count += 1;
}

static __always_inline void count_hit(__u64 stack) {
  __u64 one = 1;
  __u64 *count = bpf_map_lookup_elem(&hits, &stack);
  if (count)
    __sync_fetch_and_add(count, 1);
  else
    bpf_map_update_elem(&hits, &stack, &one, BPF_NOEXIST);
}

static __always_inline void stop_now_and_then(__u64 stack, __u32 tid) {
  if (!stop_every || (__u32)__sync_fetch_and_add(&hits_until_stop, 1) % stop_every != stop_every - 1) return;
  __u32 index = __sync_fetch_and_add(&stop_count, 1);
  struct stop stop = {.stack = stack, .tid = tid};
  if (index >= stop_limit) return;
  /* A real-time signal, for those queue: gdb stops the other threads by SIGSTOP, and two of them make one. */
  if (bpf_map_update_elem(&stops, &index, &stop, BPF_ANY) == 0) bpf_send_signal_thread(40);
}

static __always_inline int take_stack(struct pt_regs *ctx, struct dwell_stack_start start) {
  __u32 tid = (__u32)bpf_get_current_pid_tgid();
  __u64 begin = bpf_ktime_get_ns();
  __u64 stack = dwell_stack(ctx, start, process, tid);
  count_time(bpf_ktime_get_ns() - begin);
  count_hit(stack);
  stop_now_and_then(stack, tid);
  return 0;
}

/* On a function's first instruction: the stack of its caller. */
SEC("uprobe")
int at_entry(struct pt_regs *ctx) {
  struct dwell_stack_start start = {
      .pc = ctx->ip, .sp = ctx->sp, .bp = ctx->bp, .flags = DWELL_PC_EXACT | DWELL_PC_HIDDEN, .cfa_offset = 8};
  return take_stack(ctx, start);
}

SEC("uretprobe")
int at_return(struct pt_regs *ctx) {
  struct dwell_stack_start start = {.pc = ctx->ip, .sp = ctx->sp, .bp = ctx->bp};
  return take_stack(ctx, start);
}

/* Does nothing: an outer return probe, whose trampoline the walk has to see through. */
SEC("uretprobe")
int hold_return(struct pt_regs *ctx) {
  return 0;
}

/* Pure cost of the probe, to subtract. */
SEC("uprobe")
int nothing(struct pt_regs *ctx) {
  return 0;
}
