/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks from C to Go and back.
 *
 * Go runs on goroutines' stacks, which are small and may be moved, C on the thread's (g0's). asmcgocall notes on g0's
 * stack whose goroutine it is and how far below its upper end the stack pointer was; cgocallback opens a frame like its own
 * on the goroutine's stack, and its frame pointer still leads to the one on g0's:
 *
 *     g0's stack                            the goroutine's
 *     malloc
 *     C
 *     asmcgocall: g, depth  ──────────────▶ asmcgocall's caller           sp = g.stack.hi - depth
 *                                           cgocall
 *                                           Go
 *     crosscall2  ◀──────────────────────── cgocallback                   rbp
 *     C
 *     asmcgocall  ────────────────────────▶ asmcgocall's caller ... goexit
 *
 * Nothing of it is believed unless it fits: the goroutine's stack pointer lies in its stack, the call before the return
 * address there is that of this very function, and on each of the two stacks frames lie above those passed before.
 */
#ifndef DWELL_BPF_UNWIND_GO_H
#define DWELL_BPF_UNWIND_GO_H

#include "bpf/unwind_stack.h"

#define DWELL_GO_STACK_POINTER 56 /* in runtime.g; its stack's ends are at 0 and 8, and its thread at 48 */
#define DWELL_GO_THREAD 48
#define DWELL_GO_BELOW_THREAD_POINTER 8

static __always_inline int dwell_read_there(struct dwell_walk *w, __u64 address, __u32 words) {
  return dwell_env_read(w, w->words_there, words == 1 ? 8 : 16, address) ? -1 : 0;
}

/* Whether the instruction before pc calls `function`. */
static __always_inline int dwell_calls(struct dwell_walk *w, __u64 pc, __u64 function) {
  if (pc < 8 || dwell_read_there(w, pc - 8, 1)) return 0;
  __u64 before = w->words_there[0];
  return (before >> 24 & 0xff) == 0xe8 && pc + (__s64)(__s32)(before >> 32) == function;
}

static __always_inline int dwell_change_stack(struct dwell_walk *w, __u64 pc, __u64 sp, __u64 bp) {
  __u64 left = w->left_sp;
  if (sp <= left) return dwell_stop(w, DWELL_STACK_NOT_GROWING);
  dwell_depends_on_more(w);
  w->left_sp = w->sp;
  w->pc = pc;
  w->sp = sp;
  w->bp = bp;
  w->bp_at = 0;
  w->exact = 0;
  w->guessed = 0;
  w->window_size = 0;
  return 0;
}

/* To the caller of `function`, which left a goroutine's stack at sp. */
static __always_inline int dwell_to_goroutine(struct dwell_walk *w, __u64 goroutine, __u64 sp, __u64 function, int pushes) {
  __u64 pc, bp = w->bp;
  if (dwell_read_there(w, goroutine, 2)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  if (sp < w->words_there[0] || sp >= w->words_there[1] || (sp & 7)) return dwell_stop(w, DWELL_STACK_NO_RULE);
  if (dwell_read_there(w, sp, 2)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  pc = w->words_there[0];
  if (pushes) {
    bp = w->words_there[0];
    pc = w->words_there[1];
  }
  if (!dwell_calls(w, pc, function)) return dwell_stop(w, DWELL_STACK_NO_RULE);
  return dwell_change_stack(w, pc, sp + (pushes ? 16 : 8), bp);
}

static __always_inline int dwell_behind_asmcgocall(struct dwell_walk *w, const struct dwell_unwind_rule *rule) {
  __u64 goroutine, depth, top;
  __u32 places = rule->cfa_offset;
  if (dwell_read_there(w, w->sp + (places >> 16 & 255), 1)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  goroutine = w->words_there[0];
  if (dwell_read_there(w, w->sp + (places >> 8 & 255), 1)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  depth = w->words_there[0];
  if (dwell_read_there(w, goroutine + 8, 1)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  top = w->words_there[0];
  return dwell_to_goroutine(w, goroutine, top - depth, w->pc - (__u64)rule->bp_offset, places & 1);
}

static __always_inline int dwell_behind_systemstack(struct dwell_walk *w, const struct dwell_unwind_rule *rule) {
  __u64 goroutine;
  __u32 places = rule->cfa_offset;
  if (dwell_read_there(w, w->thread_pointer - DWELL_GO_BELOW_THREAD_POINTER, 1) ||
      dwell_read_there(w, w->words_there[0] + DWELL_GO_THREAD, 1) ||
      dwell_read_there(w, w->words_there[0] + (places >> 8 & 0x7fff), 1))
    return dwell_stop(w, DWELL_STACK_READ_FAILED);
  goroutine = w->words_there[0];
  if (dwell_read_there(w, goroutine + DWELL_GO_STACK_POINTER, 1)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  return dwell_to_goroutine(w, goroutine, w->words_there[0], w->pc - (__u64)rule->bp_offset, places & 1);
}

static __always_inline int dwell_behind_cgocallback(struct dwell_walk *w, const struct dwell_unwind_rule *rule) {
  if ((w->bp & 7) || dwell_read_there(w, w->bp, 2)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  if (w->words_there[1] != w->pc + (__s64)rule->cfa_offset) return dwell_stop(w, DWELL_STACK_NO_RULE);
  return dwell_change_stack(w, w->words_there[1], w->bp + 16, w->words_there[0]);
}

/* Global, so that the verifier looks at it by itself. */
#ifdef __bpf__
__noinline
#else
static __always_inline
#endif
int dwell_go_step(struct dwell_walk *w, const struct dwell_unwind_rule *rule) {
  if (!w || !rule) return 1;
  if (rule->cfa == DWELL_CFA_GOROUTINE) return dwell_behind_asmcgocall(w, rule);
  if (rule->cfa == DWELL_CFA_SYSTEM_STACK) return dwell_behind_systemstack(w, rule);
  return dwell_behind_cgocallback(w, rule);
}

#endif /* DWELL_BPF_UNWIND_GO_H */
