// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where a thread is that runs: when it has used its CPU for a moment, a clock interrupts it, and its
 * registers and the top of its stack are copied. Once for each thread; it notices nothing but that interrupt.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/bounds.h"
#include "bpf/cpu_sample.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PAGE 4096
#define USER_MODE 3 /* in cs */

/* The context of such programs as <linux/bpf_perf_event.h> has it: registers in the order of the x86-64 ABI's
 * struct pt_regs, whole words whatever the kernel's own struct makes of them. */
enum { REGS_BP = 4, REGS_IP = 16, REGS_CS = 17, REGS_FLAGS = 18, REGS_SP = 19, REGS_WORDS = 21 };
struct bpf_perf_event_data {
  unsigned long regs[REGS_WORDS];
  __u64 sample_period;
  __u64 addr;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DWELL_CPU_SAMPLES);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct dwell_cpu_sample);
} samples SEC(".maps");

/* Page by page: where the stack ends there may be none. */
static __always_inline void copy_stack(struct dwell_cpu_sample *sample) {
  __u32 filled = 0;
  for (int i = 0; i < DWELL_CPU_WINDOW / PAGE; i++) {
    __u64 from = sample->sp + filled;
    __u32 size = PAGE - (from & (PAGE - 1));
    if (filled > DWELL_CPU_WINDOW - PAGE) break;
    char *to = sample->window + DWELL_AT_MOST(filled, DWELL_CPU_WINDOW - PAGE);
    if (bpf_probe_read_user(to, DWELL_AT_MOST(size, PAGE), (void *)from)) break;
    filled += size;
  }
  sample->bytes = filled;
}

SEC("perf_event")
int on_clock(struct bpf_perf_event_data *ctx) {
  __u32 index = bpf_get_attach_cookie(ctx);
  struct dwell_cpu_sample *sample = bpf_map_lookup_elem(&samples, &index);
  if (!sample || __sync_val_compare_and_swap(&sample->state, DWELL_CPU_SAMPLE_NONE, DWELL_CPU_SAMPLE_BEGUN) !=
                     DWELL_CPU_SAMPLE_NONE)
    return 0;
  sample->call = ~0ull;
  if ((ctx->regs[REGS_CS] & USER_MODE) == USER_MODE) {
    sample->ip = ctx->regs[REGS_IP];
    sample->sp = ctx->regs[REGS_SP];
    sample->bp = ctx->regs[REGS_BP];
  } else { /* in the kernel: as it came there */
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    sample->ip = regs->ip;
    sample->sp = regs->sp;
    sample->bp = regs->bp;
    sample->call = regs->orig_ax;
  }
  copy_stack(sample);
  __sync_val_compare_and_swap(&sample->state, DWELL_CPU_SAMPLE_BEGUN, DWELL_CPU_SAMPLE_TAKEN);
  return 0;
}

/* ---- the same thread time and again ---- */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DWELL_CPU_SAMPLES);
  __type(key, __u32);
  __type(value, struct dwell_run_states);
} runs SEC(".maps");

struct stack_words {
  __u64 words[DWELL_RUN_STACK / 8];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct stack_words);
} scratch SEC(".maps");

static __always_inline __u64 sum_of_stack(__u64 sp) {
  __u32 zero = 0;
  struct stack_words *stack = bpf_map_lookup_elem(&scratch, &zero);
  if (!stack || bpf_probe_read_user(stack, sizeof(*stack), (void *)(sp - DWELL_RED_ZONE))) return 0;
  __u64 sum = 1;
#pragma unroll
  for (int i = 0; i < DWELL_RUN_STACK / 8; i++) sum = (sum ^ stack->words[i]) * 0x9e3779b97f4a7c15ull + 1;
  return sum;
}

SEC("perf_event")
int on_time_and_again(struct bpf_perf_event_data *ctx) {
  __u32 index = bpf_get_attach_cookie(ctx);
  struct dwell_run_states *run = bpf_map_lookup_elem(&runs, &index);
  if (!run || run->count >= DWELL_RUN_STATES) return 0;
  struct dwell_run_state *state = &run->states[run->count & (DWELL_RUN_STATES - 1)];
  if ((ctx->regs[REGS_CS] & USER_MODE) != USER_MODE) { /* where it went into the kernel, and what for */
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    state->ip = regs->ip;
    state->call = regs->orig_ax;
    run->count++;
    return 0;
  }
  state->call = ~0ull;
  state->ip = ctx->regs[REGS_IP];
  state->flags = ctx->regs[REGS_FLAGS];
  /* struct pt_regs has them from r15 to di. */
  state->registers[0] = ctx->regs[10];
  state->registers[1] = ctx->regs[11];
  state->registers[2] = ctx->regs[12];
  state->registers[3] = ctx->regs[5];
  state->registers[4] = ctx->regs[REGS_SP];
  state->registers[5] = ctx->regs[REGS_BP];
  state->registers[6] = ctx->regs[13];
  state->registers[7] = ctx->regs[14];
  state->registers[8] = ctx->regs[9];
  state->registers[9] = ctx->regs[8];
  state->registers[10] = ctx->regs[7];
  state->registers[11] = ctx->regs[6];
  state->registers[12] = ctx->regs[3];
  state->registers[13] = ctx->regs[2];
  state->registers[14] = ctx->regs[1];
  state->registers[15] = ctx->regs[0];
  state->stack = sum_of_stack(ctx->regs[REGS_SP]);
  run->count++;
  return 0;
}
