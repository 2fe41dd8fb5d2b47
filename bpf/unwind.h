/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks for any BPF program: dwell_stack() walks the current thread's user stack and returns its 64-bit
 * identity. The frames themselves are sent once, the first time that an identity is met.
 *
 * Every object that includes it shares the maps of bpf/unwind_maps.h with the others of its recording.
 */
#ifndef DWELL_BPF_UNWIND_H
#define DWELL_BPF_UNWIND_H

#include "bpf/bounds.h"
#include "bpf/unwind_maps.h"
#include "bpf/unwind_walk.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

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
  if (!__builtin_constant_p(size)) size = DWELL_AT_MOST(size, sizeof(w->window)); /* into the window */
  return bpf_probe_read_user(to, size, (const void *)from);
}

static __always_inline long dwell_env_loop(__u32 times, long (*step)(__u64, void *), void *context) {
  return bpf_loop(times, step, context, 0);
}

#define DWELL_VM_EXEC 4ul /* <linux/mm.h> */
static long dwell_look_at_area(struct task_struct *task, struct vm_area_struct *area, void *context) {
  struct dwell_walk *w = &(*(struct dwell_scratch **)context)->walk;
  if (area->vm_file || !(area->vm_flags & DWELL_VM_EXEC)) return 0;
  w->mapping.start = area->vm_start;
  w->mapping.end = area->vm_end;
  w->mapping.kind = DWELL_MAPPING_NO_TABLE;
  return 0;
}
static __always_inline int dwell_env_is_generated(struct dwell_walk *w, __u64 pc) {
  struct dwell_scratch *scratch = container_of(w, struct dwell_scratch, walk);
  w->mapping.start = 0;
  w->mapping.end = 0;
  bpf_find_vma(bpf_get_current_task_btf(), pc, dwell_look_at_area, &scratch, 0);
  return pc - w->mapping.start < w->mapping.end - w->mapping.start;
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
static __always_inline __u64 dwell_trampoline(struct task_struct *task) {
  struct uprobe_task *utask = task->utask;
  if (!utask || !utask->return_instances) return 0;
  struct mm_struct *mm = task->mm;
  struct xol_area *area = mm ? mm->uprobes_state.xol_area : NULL;
  return area ? area->vaddr : 0;
}

/* The main thread's stack ends at mm->start_stack. Other threads have their control block on top of the
 * stack, in every C library, and the thread pointer points to it. */
static __always_inline __u64 dwell_stack_top(struct task_struct *task, __u64 sp) {
  struct mm_struct *mm = task->mm;
  __u64 main_top = mm ? mm->start_stack : 0;
  return main_top - sp < DWELL_LARGEST_STACK ? main_top : task->thread.fsbase;
}

static long dwell_walk_callback(__u64 index, void *context) {
  struct dwell_scratch *scratch = *(struct dwell_scratch **)context;
  return dwell_walk_step(&scratch->walk);
}

static __always_inline struct dwell_scratch *dwell_claim_scratch(void) {
  __u32 first = bpf_get_smp_processor_id() * DWELL_SCRATCH_SLOTS, zero = 0;
  for (__u32 i = 0; i < DWELL_SCRATCH_SLOTS; i++) {
    __u32 key = first + i;
    void *map = bpf_map_lookup_elem(&unwind_scratch, &key);
    if (!map) return NULL;
    struct dwell_scratch *scratch = bpf_map_lookup_elem(map, &zero);
    if (!scratch) return NULL;
    if (__sync_val_compare_and_swap(&scratch->busy, 0, 1) == 0) return scratch;
  }
  return NULL;
}

static __always_inline void dwell_release_scratch(struct dwell_scratch *scratch) {
  *(volatile __u32 *)&scratch->busy = 0;
}

/* A race between CPUs lets a few more through, or a few less. */
static __always_inline int dwell_may_keep_rest(__u64 now) {
  __u32 only = 0;
  struct dwell_rest_budget *budget = bpf_map_lookup_elem(&unwind_rests, &only);
  if (!budget || !budget->since_ns) return 0;
  if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(&events, BPF_RB_RING_SIZE) / 4)
    return 0;
  __u64 fresh = (now - budget->since_ns) / DWELL_REST_EVERY_NS, left = budget->left;
  if (fresh) {
    left = left + fresh < DWELL_MOST_RESTS ? left + fresh : DWELL_MOST_RESTS;
    budget->since_ns = now;
  }
  budget->left = left ? left - 1 : 0;
  return left != 0;
}

/* Sends what lies on the stack above a walk that userspace can go on with. Returns what tells this walk from all others;
 * 0: nothing was sent. Global, so that the verifier looks at it by itself. */
__noinline __u64 dwell_keep_rest(struct dwell_walk *w, __u64 process_and_tid) {
  if (!w) return 0;
  __u64 now = bpf_ktime_get_ns(), salt = now ^ process_and_tid << 40;
  if (!salt || !dwell_may_keep_rest(now)) return 0;
  w->window_size = 1; /* not the first window: as large as it may be */
  if (dwell_refill(w, w->sp)) return 0;
  struct dwell_stack_rest *rest = (struct dwell_stack_rest *)w->rest;
  rest->h.type = DWELL_STACK_REST;
  rest->h.process = process_and_tid >> 32;
  rest->h.probe = 0;
  rest->h.tid = process_and_tid;
  rest->time_ns = now;
  rest->stack = dwell_finish_hash(dwell_mix(dwell_mix(w->hash, w->end), salt));
  rest->pc = w->pc;
  rest->sp = w->sp;
  rest->bp = w->bp;
  rest->exact = w->exact;
  __u32 bytes = DWELL_AT_MOST(w->window_size, sizeof(w->window));
  rest->size = bytes;
  __u64 size = DWELL_AT_MOST(sizeof(*rest) + bytes, sizeof(*rest) + sizeof(w->window));
  return bpf_ringbuf_output(&events, rest, size, BPF_RB_FORCE_WAKEUP) ? 0 : salt;
}

static __always_inline int dwell_lacks_table(const struct dwell_walk *w) {
  return w->end == DWELL_STACK_NO_MAPPING || w->end == DWELL_STACK_TABLE_PENDING || w->end == DWELL_STACK_ASYNC;
}

/* Sends the frames unless they were sent before. 0: they could not be sent now; the next time may do. */
static __always_inline __u64 dwell_send_stack(struct dwell_walk *w, __u8 process, __u32 tid) {
  __u64 hash = dwell_mix(w->hash, w->end), salt = 0;
  if (dwell_lacks_table(w)) salt = dwell_keep_rest(w, (__u64)process << 32 | tid);
  if (salt) hash = dwell_mix(hash, salt);
  __u64 stack = dwell_finish_hash(hash);
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
  __u64 size = DWELL_AT_MOST(sizeof(*record) + frames * 8ull, sizeof(*record) + DWELL_MAX_FRAMES * 8);
  if (bpf_ringbuf_output(&events, record, size, dwell_wake_flags())) {
    dwell_count_loss(DWELL_LOST_STACK);
    return 0;
  }
  /* The place to give up is any one that another hash bit picks. */
  if (!salt) set->stacks[(stack >> 56) & 7] = stack;
  return stack;
}

/* ---- walks that need not be done again ---- */

static __always_inline __u64 dwell_start_tag(const struct dwell_walk *w,
                                             const struct dwell_stack_start *start) {
  return (start->sp ^ start->pc ^ w->publication << 32) * 0x9e3779b97f4a7c15ull | 1;
}

static __always_inline struct dwell_memo_set *dwell_memos_of(__u64 tag) {
  __u32 key = tag >> 54;
  return bpf_map_lookup_elem(&unwind_memos, &key);
}

static __always_inline bool dwell_began_like(const struct dwell_walk *w, const struct dwell_memo *memo,
                                             const struct dwell_stack_start *start) {
  const struct dwell_stack_start *then = &memo->start;
  return memo->publication == w->publication && then->pc == start->pc && then->sp == start->sp &&
         then->flags == start->flags && then->cfa_offset == start->cfa_offset &&
         then->bp_offset == start->bp_offset && (!memo->bp_matters || then->bp == start->bp);
}

/* Whether the words that the walk read then are the same now. The first one, the return address of the first
 * frame, tells most that are not. */
static __always_inline bool dwell_reads_like(const struct dwell_walk *w, const struct dwell_memo *memo) {
  __u32 count = memo->count;
  if (memo->bytes > w->window_size) return false; /* it was replaced a moment ago */
  for (__u32 i = 0; i < DWELL_MEMO_WORDS && i < count; i++)
    if (w->window[memo->words.at[i] & (DWELL_WINDOW_WORDS - 1)] != memo->words.value[i]) return false;
  return true;
}

/* The memo's stack if the walk would be the same, else 0. Another CPU may be writing: on x86-64 loads are not
 * reordered, so a version that did not change tells that nothing else did. */
static __always_inline __u64 dwell_same_walk(const struct dwell_walk *w, const struct dwell_memo *memo,
                                             const struct dwell_stack_start *start) {
  __u32 version = *(volatile __u32 *)&memo->version;
  if (version & 1 || !dwell_began_like(w, memo, start) || !dwell_reads_like(w, memo)) return 0;
  __u64 stack = memo->stack;
  barrier();
  return *(volatile __u32 *)&memo->version == version ? stack : 0;
}

/* The stack of a walk that began like this one and would read the same words; 0: none is remembered. What was
 * read for the comparison stays in the window.
 *
 * Global, so that the verifier looks at it by itself: inlined, each of its hundreds of ends is one more state in
 * which the walk begins, and from Linux 7.2 on the verifier gives up on them after a million instructions. */
__noinline __u64 dwell_remembered(struct dwell_walk *w, const struct dwell_memo_set *set, __u64 tag,
                                  const struct dwell_stack_start *start) {
  if (!w || !set || !start) return 0; /* the verifier does not know the caller */
  __u64 bytes = 0;
  for (int i = 0; i < DWELL_MEMO_WAYS; i++)
    if (set->starts[i] == tag && set->bytes[i] > bytes) bytes = set->bytes[i];
  if (!bytes || bytes > sizeof(w->window) || dwell_env_read(w, w->window, bytes, start->sp)) return 0;
  w->window_base = start->sp;
  w->window_size = bytes;
  for (int i = 0; i < DWELL_MEMO_WAYS; i++) {
    if (set->starts[i] != tag) continue;
    __u64 stack = dwell_same_walk(w, &set->ways[i], start);
    if (stack) return stack;
  }
  return 0;
}

static __always_inline void dwell_remember(const struct dwell_walk *w, struct dwell_memo_set *set, __u64 tag,
                                           const struct dwell_stack_start *start, __u64 stack) {
  if (w->end != DWELL_STACK_COMPLETE || !w->words || w->words > DWELL_MEMO_WORDS || !w->publication) return;
  __u32 way = bpf_get_prandom_u32();
  for (__u32 i = 0; i < DWELL_MEMO_WAYS; i++)
    if (set->starts[i] != tag) way = i;
  way &= DWELL_MEMO_WAYS - 1;
  struct dwell_memo *memo = &set->ways[way];
  __u32 version = memo->version;
  if (version & 1 || __sync_val_compare_and_swap(&memo->version, version, version + 1) != version) return;
  memo->count = w->words;
  memo->publication = w->publication;
  memo->start = *start;
  memo->bp_matters = w->start_bp_matters;
  memo->stack = stack;
  memo->words = w->memo;
  memo->bytes = (w->highest_word + 1) * 8;
  set->starts[way] = tag;
  set->bytes[way] = memo->bytes;
  __sync_fetch_and_add(&memo->version, 1);
}

/* Where the process's mappings lie; its generation. */
static __always_inline __u64 dwell_find_space(struct dwell_walk *w, __u8 process) {
  __u32 key = process;
  w->space = 0;
  w->mappings = 0;
  w->publication = 0;
  __u64 *header_index = bpf_map_lookup_elem(&unwind_spaces, &key);
  if (!header_index || !*header_index) return 0;
  __u32 index = *header_index;
  struct dwell_unwind_space *header = bpf_map_lookup_elem(&unwind_mappings, &index);
  if (!header) return 0;
  w->space = index + 1;
  w->mappings = header->count;
  w->publication = header->publication;
  return header->generation;
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
  struct task_struct *task = bpf_get_current_task_btf();
  __u64 generation = dwell_find_space(w, process), stack = 0;
  w->trampoline = dwell_trampoline(task);
  w->window_size = 0;
  __u64 tag = dwell_start_tag(w, &start);
  struct dwell_memo_set *memos = dwell_memos_of(tag);
  if (memos) stack = dwell_remembered(w, memos, tag, &start);
  if (!stack) {
    w->stack_top = dwell_stack_top(task, start.sp);
    w->thread_pointer = task->thread.fsbase;
    dwell_walk_begin(w, &start, dwell_mix(process, generation));
    bpf_loop(DWELL_MAX_STEPS, dwell_walk_callback, &scratch, 0);
    stack = dwell_send_stack(w, process, tid);
    if (memos && stack) dwell_remember(w, memos, tag, &start, stack);
  }
  dwell_release_scratch(scratch);
  return stack;
}

#endif /* DWELL_BPF_UNWIND_H */
