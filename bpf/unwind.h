/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks for any BPF program: dwell_stack() walks the current thread's user stack and returns its 64-bit
 * identity. The frames themselves are sent once, the first time that an identity is met.
 *
 * Every object that includes it shares the maps of bpf/unwind_maps.h with the others of its recording.
 */
#ifndef DWELL_BPF_UNWIND_H
#define DWELL_BPF_UNWIND_H

/* clang-format off: libbpf's headers need the types of vmlinux.h. */
#include "bpf/unwind_maps.h"
#include "bpf/unwind_walk.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
/* clang-format on */

/* A uprobe's program can be preempted, and the next task on the CPU can run one too, so scratch memory is
 * claimed, not assumed. More than this many half-done walks on one CPU: the stack is lost, and counted. */
#define DWELL_SCRATCH_SLOTS 6
struct dwell_scratch {
  __u32 busy;
  __u32 unused;
  struct dwell_walk walk;
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DWELL_SCRATCH_SLOTS);
  __type(key, __u32);
  __type(value, struct dwell_scratch);
} unwind_scratch SEC(".maps");

static __always_inline const struct dwell_unwind_mapping *dwell_env_mapping(struct dwell_walk *w,
                                                                            __u32 index) {
  return bpf_map_lookup_elem(&unwind_mappings, &index);
}
static __always_inline const struct dwell_unwind_page *dwell_env_page(struct dwell_walk *w, __u32 index) {
  return bpf_map_lookup_elem(&unwind_pages, &index);
}
static __always_inline const struct dwell_unwind_row *dwell_env_row(struct dwell_walk *w, __u32 index) {
  return bpf_map_lookup_elem(&unwind_rows, &index);
}
static __always_inline const struct dwell_unwind_rule *dwell_env_rule(struct dwell_walk *w, __u32 index) {
  return bpf_map_lookup_elem(&unwind_rules, &index);
}
static __always_inline __u64 *dwell_env_cached(struct dwell_walk *w, __u32 index) {
  return bpf_map_lookup_elem(&unwind_cache, &index);
}
static __always_inline long dwell_env_read(struct dwell_walk *w, void *to, __u32 size, __u64 from) {
  return bpf_probe_read_user(to, size, (const void *)from);
}

static __always_inline long dwell_env_loop(__u32 times, long (*step)(__u64, void *), void *context) {
  return bpf_loop(times, step, context, 0);
}
static __always_inline void dwell_env_return_probes(struct dwell_walk *w) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  struct return_instance *instance = BPF_CORE_READ(task, utask, return_instances);
  __u32 n = 0;
  for (int i = 0; i < DWELL_MAX_RETURN_PROBES && instance; i++) {
    struct dwell_return_probe *probe = &w->probes[n & (DWELL_MAX_RETURN_PROBES - 1)];
    probe->slot = BPF_CORE_READ(instance, stack);
    probe->target = BPF_CORE_READ(instance, orig_ret_vaddr);
    n++;
    instance = BPF_CORE_READ(instance, next);
  }
  w->return_probes = n;
}

/* Where this thread's hijacked return addresses point to; 0 if none of its returns is probed. Plain loads
 * through the kernel's type information: no helper call in the common case. */
static __always_inline __u64 dwell_trampoline(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct uprobe_task *utask = task->utask;
  if (!utask || !utask->return_instances) return 0;
  struct mm_struct *mm = task->mm;
  struct xol_area *area = mm ? mm->uprobes_state.xol_area : NULL;
  return area ? area->vaddr : 0;
}

/* The main thread's stack ends at mm->start_stack. Other threads have their control block on top of the
 * stack, in every C library, and the thread pointer points to it. */
static __always_inline __u64 dwell_stack_top(__u64 sp) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct mm_struct *mm = task->mm;
  __u64 main_top = mm ? mm->start_stack : 0;
  return main_top - sp < DWELL_LARGEST_STACK ? main_top : task->thread.fsbase;
}

static long dwell_walk_callback(__u64 index, void *context) {
  struct dwell_scratch *scratch = *(struct dwell_scratch **)context;
  return dwell_walk_step(&scratch->walk);
}

static __always_inline struct dwell_scratch *dwell_claim_scratch(void) {
  for (__u32 i = 0; i < DWELL_SCRATCH_SLOTS; i++) {
    __u32 key = i;
    struct dwell_scratch *scratch = bpf_map_lookup_elem(&unwind_scratch, &key);
    if (!scratch) return NULL;
    if (__sync_val_compare_and_swap(&scratch->busy, 0, 1) == 0) return scratch;
  }
  return NULL;
}

static __always_inline void dwell_release_scratch(struct dwell_scratch *scratch) {
  *(volatile __u32 *)&scratch->busy = 0;
}

/* Sends the frames unless they were sent before. 0: they could not be sent now; the next time may do. */
static __always_inline __u64 dwell_send_stack(struct dwell_walk *w, __u8 process, __u32 tid) {
  __u64 stack = dwell_finish_hash(dwell_mix(w->hash, w->end));
  __u32 key = stack & (DWELL_SEEN_SETS - 1);
  struct dwell_seen_set *set = bpf_map_lookup_elem(&unwind_seen, &key);
  if (!set) return 0;
  for (int i = 0; i < 8; i++)
    if (set->stacks[i] == stack) return stack;

  __u32 frames = w->count;
  if (frames > DWELL_MAX_FRAMES) return 0;
  struct dwell_stack_record *record = dwell_record(w);
  record->h.type = DWELL_STACK;
  record->h.process = process;
  record->h.probe = 0;
  record->h.tid = tid;
  record->time_ns = bpf_ktime_get_ns();
  record->stack = stack;
  record->count = frames;
  record->end = w->end;
  if (bpf_ringbuf_output(&events, record, sizeof(*record) + frames * 8, dwell_wake_flags())) {
    dwell_count_loss(DWELL_LOST_STACK);
    return 0;
  }
  /* The place to give up is any one that another hash bit picks. */
  set->stacks[(stack >> 56) & 7] = stack;
  return stack;
}

/* Identity of the current thread's stack, or 0 if it is lost (and counted). `process` is the slot whose
 * tables to use; `tid` goes into the record. */
static __always_inline __u64 dwell_stack(void *ctx, struct dwell_stack_start start, __u8 process, __u32 tid) {
  struct dwell_scratch *scratch = dwell_claim_scratch();
  if (!scratch) {
    dwell_count_loss(DWELL_LOST_SCRATCH);
    return 0;
  }
  struct dwell_walk *w = &scratch->walk;
  __u32 key = process;
  __u64 generation = 0;
  __u64 *header_index = bpf_map_lookup_elem(&unwind_spaces, &key);
  w->space = 0;
  w->mappings = 0;
  w->publication = 0;
  if (header_index && *header_index) {
    __u32 index = *header_index;
    struct dwell_unwind_space *header = bpf_map_lookup_elem(&unwind_mappings, &index);
    if (header) {
      w->space = index + 1;
      w->mappings = header->count;
      w->publication = header->publication;
      generation = header->generation;
    }
  }
  w->trampoline = dwell_trampoline();
  w->stack_top = dwell_stack_top(start.sp);
  dwell_walk_begin(w, &start, dwell_mix(process, generation));
  bpf_loop(DWELL_MAX_FRAMES + 1, dwell_walk_callback, &scratch, 0);
  __u64 stack = dwell_send_stack(w, process, tid);
  dwell_release_scratch(scratch);
  return stack;
}

#endif /* DWELL_BPF_UNWIND_H */
