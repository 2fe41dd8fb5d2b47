/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk from a thread's registers to its outermost frame, over the tables of unwind_tables.h. Pure logic:
 * everything it touches comes through the dwell_env_*() functions, which bpf/unwind.h defines over BPF maps,
 * and userspace over memory of its own.
 *
 * Every pc but an interrupted one is a return address, so a pc is looked up one byte before: in the call.
 */
#ifndef DWELL_BPF_UNWIND_WALK_H
#define DWELL_BPF_UNWIND_WALK_H

#include "bpf/unwind_go.h"
#include "bpf/unwind_stack.h"

/* ---- lookups ---- */

#define DWELL_MAPPING_STEPS 16 /* log2(DWELL_UNWIND_MAX_MAPPINGS) */
#define DWELL_ROW_STEPS 13     /* log2(rows that a 4 KiB page can have) + 1 */

static __always_inline int dwell_find_mapping(struct dwell_walk *w, __u64 pc) {
  if (pc - w->mapping.start < w->mapping.end - w->mapping.start) return 0;
  __u32 base = w->space, n = w->mappings;
  for (int step = 0; step < DWELL_MAPPING_STEPS && n > 1; step++) {
    __u32 half = n >> 1;
    const struct dwell_unwind_mapping *m = dwell_env_mapping(w, base + half);
    if (!m) return -1;
    if (m->start <= pc) base += half;
    n -= half;
  }
  const struct dwell_unwind_mapping *m = n ? dwell_env_mapping(w, base) : 0;
  if (!m || pc < m->start || pc >= m->end) return -1;
  w->mapping = *m;
  return 0;
}

/* Index of the rule that holds at offset, 0 (the rule that says NONE) where the module has no row. */
static __always_inline __u32 dwell_find_rule(struct dwell_walk *w, __u32 pages, __u64 offset) {
  __u64 page_index = offset >> DWELL_UNWIND_PAGE_SHIFT;
  if (page_index >= w->mapping.page_count) return 0;
  const struct dwell_unwind_page *page = dwell_env_page(w, pages + (__u32)page_index);
  if (!page) return 0;
  __u32 base = page->first_row, n = page->rows;
  for (int step = 0; step < DWELL_ROW_STEPS && n > 1; step++) {
    __u32 half = n >> 1;
    const struct dwell_unwind_row *row = dwell_env_row(w, base + half);
    if (!row) return 0;
    if (row->pc <= (__u32)offset) base += half;
    n -= half;
  }
  const struct dwell_unwind_row *row = n ? dwell_env_row(w, base) : 0;
  if (!row || row->pc > (__u32)offset) return 0;
  return row->rule;
}

/* ---- recursion ---- */

#define DWELL_FOLD_AFTER 192
#define DWELL_MOST_PERIOD 8 /* functions that call one another in turn */

static __always_inline __u64 dwell_pc_back(const struct dwell_walk *w, __u32 frames) {
  return w->pcs[(w->count - frames) & (DWELL_MAX_FRAMES - 1)];
}

/* Whether the frame repeats, in a recursion that has filled most of the record already. It is left out then, so that what
 * began the recursion has room: two callers of the same recursion are two stacks, and its depth makes none.
 *
 *     recorded  a b c b c b c ... b c │ b c b c b c │ main _start
 *               0                 191 │ left out    │ */
static __always_inline int dwell_folds(struct dwell_walk *w) {
  if (w->count < DWELL_FOLD_AFTER || w->exact) {
    w->fold_period = 0;
    return 0;
  }
  if (w->fold_period) {
    if (w->pc == dwell_pc_back(w, w->fold_period - w->fold_phase)) {
      w->fold_phase = w->fold_phase + 1 < w->fold_period ? w->fold_phase + 1 : 0;
      return 1;
    }
    w->fold_period = 0;
  }
  for (__u32 period = 1; period <= DWELL_MOST_PERIOD; period++) {
    if (w->pc != dwell_pc_back(w, period) || w->pc != dwell_pc_back(w, 2 * period) ||
        dwell_pc_back(w, 1) != dwell_pc_back(w, 1 + period))
      continue;
    w->fold_period = period;
    w->fold_phase = period > 1;
    w->folded = 1;
    return 1;
  }
  return 0;
}

/* ---- one frame ---- */

static __always_inline int dwell_record_pc(struct dwell_walk *w) {
  if (dwell_folds(w)) return 0;
  __u32 count = w->count;
  if (count >= DWELL_MAX_FRAMES) return dwell_stop(w, DWELL_STACK_TOO_DEEP);
  w->pcs[count & (DWELL_MAX_FRAMES - 1)] = w->pc;
  w->hash = dwell_mix(w->hash, w->pc ^ ((__u64)w->exact << 63));
  if (w->exact) dwell_record(w)->exact[(count >> 6) & (DWELL_MAX_FRAMES / 64 - 1)] |= 1ull << (count & 63);
  w->count = count + 1;
  return 0;
}

/* A return probe that is still pending has put its trampoline where the return address was. The list and
 * the stack have the same order; instances that a longjmp left behind are passed over. More than one probe
 * on the same call: all but the last in the list found a trampoline there themselves. */
static long dwell_try_return_probe(__u64 step, void *context) {
  (void)step;
  struct dwell_walk *w = *(struct dwell_walk **)context;
  __u32 i = w->next_return_probe;
  if (i >= w->return_probes) return 1;
  const struct dwell_return_probe *probe = &w->probes[i & (DWELL_MAX_RETURN_PROBES - 1)];
  w->next_return_probe = i + 1;
  if (probe->slot != w->slot || probe->target == w->trampoline) return 0;
  w->pc = probe->target;
  return 1;
}

static __always_inline void dwell_look_behind_trampoline(struct dwell_walk *w, __u64 slot) {
  dwell_depends_on_more(w);
  if (!w->return_probes) dwell_env_return_probes(w);
  w->slot = slot;
  dwell_env_loop(DWELL_MAX_RETURN_PROBES, dwell_try_return_probe, &w);
}

/* Goes to the caller, whose frame lies above cfa. bp_address: where its rbp was saved, 0 if rbp is untouched.
 */
static __always_inline int dwell_to_caller(struct dwell_walk *w, __u64 cfa, __u64 bp_address) {
  if (bp_address) {
    if (dwell_peek_word(w, bp_address, &w->bp)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
    w->bp_at = bp_address;
  }
  if (dwell_read_word(w, cfa - 8, &w->pc)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
  w->sp = cfa;
  w->exact = 0;
  /* A return address of zero is how hand-made stacks (new contexts, musl's threads) say that they end. */
  if (w->pc == 0) return dwell_stop(w, DWELL_STACK_COMPLETE);
  if (w->pc == w->trampoline) dwell_look_behind_trampoline(w, cfa - 8);
  return 0;
}

/* The kernel put a struct ucontext at sp: rbp, rsp and rip are its general registers 10, 15 and 16. */
static __always_inline int dwell_to_interrupted(struct dwell_walk *w) {
  dwell_depends_on_more(w);
  if (dwell_refill(w, w->sp + 40 + 10 * 8) || w->window_size < 7 * 8)
    return dwell_stop(w, DWELL_STACK_READ_FAILED);
  w->bp = w->window[0];
  w->sp = w->window[5]; /* may be lower: the handler can have had a stack of its own */
  w->pc = w->window[6];
  w->exact = 1;
  w->guessed = 0;
  w->window_size = 0;
  return 0;
}

/* Tells new code from a wrong guess: does pc lie behind what looks like a call? */
static __always_inline int dwell_follows_call(struct dwell_walk *w, __u64 pc) {
  __u64 before = 0; /* the byte in front of pc is the highest */
  dwell_depends_on_more(w);
  if (pc < 8 || dwell_env_read(w, &before, 8, pc - 8)) return 0;
  if ((before >> 24 & 0xff) == 0xe8) return 1; /* call rel32 */
  for (int length = 2; length <= 7; length++)  /* call through a register or memory: ff /2 */
    if ((before >> (64 - 8 * length) & 0x38ff) == 0x10ff) return 1;
  return 0;
}

/* Records the frame that w->pc lies in and finds its rule. 1: the walk is over. */
static __always_inline int dwell_rule_here(struct dwell_walk *w, __u32 *rule_index) {
  __u64 pc = w->exact ? w->pc : w->pc - 1;
  int unknown = dwell_find_mapping(w, pc);
  if (unknown && w->mappings) {
    dwell_depends_on_more(w);
    unknown = !dwell_env_is_generated(w, pc);
  }
  if (unknown && w->guessed && !dwell_follows_call(w, w->pc)) return dwell_stop(w, DWELL_STACK_NO_RULE);
  if (dwell_record_pc(w)) return 1;
  if (unknown) return dwell_stop(w, w->mappings ? DWELL_STACK_NO_MAPPING : DWELL_STACK_TABLE_PENDING);
  if (w->mapping.kind == DWELL_MAPPING_PENDING) return dwell_stop(w, DWELL_STACK_TABLE_PENDING);
  if (w->mapping.kind == DWELL_MAPPING_NO_TABLE) return 0;

  __u32 pages = w->exact ? w->mapping.full_pages : w->mapping.call_pages;
  if (pages == DWELL_NO_PAGES) return dwell_stop(w, DWELL_STACK_ASYNC);
  *rule_index = dwell_find_rule(w, pages, pc - w->mapping.bias);
  return 0;
}

/* The same for a return address whose rule was found before. A word of the cache says all of it: 31 bits of
 * the pc (16 more are its place), 17 that name the published space, 16 for the rule. */
static __always_inline int dwell_cached_rule_here(struct dwell_walk *w, struct dwell_unwind_rule *rule) {
  __u32 index = 0;
  __u64 *cached = w->exact || !w->publication ? 0 : dwell_env_cached(w, w->pc & 0xffff);
  __u64 tag = (w->pc >> 16 << 33) | ((w->publication & 0x1ffff) << 16);
  if (cached && (*cached & ~0xffffull) == tag) {
    if (dwell_record_pc(w)) return 1;
    index = *cached & 0xffff;
  } else {
    if (dwell_rule_here(w, &index)) return 1;
    if (cached && index <= 0xffff) *cached = tag | index;
  }
  const struct dwell_unwind_rule *found = dwell_env_rule(w, index);
  if (!found) return dwell_stop(w, DWELL_STACK_UNSUPPORTED);
  *rule = *found;
  return 0;
}

/* Records the frame at pc and goes to its caller. 1: the walk is over. */
static __always_inline int dwell_walk_step(struct dwell_walk *w) {
  struct dwell_unwind_rule rule = w->start_rule;
  __u64 cfa, bp_address = 0;
  int over;
  if (rule.cfa != DWELL_CFA_NONE) {
    w->start_rule.cfa = DWELL_CFA_NONE;
    if (!w->hide_start && dwell_record_pc(w)) return 1;
  } else if (dwell_cached_rule_here(w, &rule)) {
    return 1;
  }

  if (rule.cfa == DWELL_CFA_BP || rule.cfa == DWELL_CFA_DEREF_BP || rule.cfa == DWELL_CFA_NONE ||
      rule.bp == DWELL_BP_AT_BP)
    dwell_note_bp(w);
  switch (rule.cfa) {
    case DWELL_CFA_SP:
    case DWELL_CFA_SP_INJECTED:
      cfa = w->sp + (__s64)rule.cfa_offset;
      break;
    case DWELL_CFA_BP:
      cfa = w->bp + (__s64)rule.cfa_offset;
      break;
    case DWELL_CFA_DEREF_SP:
    case DWELL_CFA_DEREF_BP:
      cfa = (rule.cfa == DWELL_CFA_DEREF_SP ? w->sp : w->bp) + (__s64)(rule.cfa_offset >> 8);
      if (dwell_read_word(w, cfa, &cfa)) return dwell_stop(w, DWELL_STACK_READ_FAILED);
      cfa += rule.cfa_offset & 255;
      break;
    case DWELL_CFA_PLT:
      cfa = w->sp + 8 + ((w->pc & 15) >= (__u32)rule.cfa_offset ? 8 : 0);
      break;
    case DWELL_CFA_NONE:
      /* push %rbp; mov %rsp,%rbp is the only convention left. By the ABI the outermost frame's rbp is 0. */
      if (w->bp == 0) return dwell_stop(w, DWELL_STACK_COMPLETE);
      if (w->bp < w->sp || (w->bp & 7)) return dwell_stop(w, DWELL_STACK_NO_RULE);
      w->guessed = 1;
      cfa = w->bp + 16;
      bp_address = w->bp;
      break;
    case DWELL_CFA_SIGNAL:
      return dwell_to_interrupted(w);
    case DWELL_CFA_END:
      return dwell_stop(w, DWELL_STACK_COMPLETE);
    case DWELL_CFA_GOROUTINE:
    case DWELL_CFA_SYSTEM_STACK:
    case DWELL_CFA_CALLED_BY_C:
      over = dwell_go_step(w, &rule);
      __asm__ volatile("" : "+r"(over)); /* the compiler knows that it is 0 or 1; the verifier has to see it */
      return over != 0;
    default:
      return dwell_stop(w, DWELL_STACK_UNSUPPORTED);
  }
  if (cfa <= w->sp) return dwell_stop(w, DWELL_STACK_NOT_GROWING);
  if (rule.cfa != DWELL_CFA_NONE) {
    w->guessed = 0;
    if (rule.bp == DWELL_BP_AT_CFA) bp_address = cfa + (__s64)rule.bp_offset;
    if (rule.bp == DWELL_BP_AT_BP) bp_address = w->bp + (__s64)rule.bp_offset;
    if (rule.bp == DWELL_BP_LOST) {
      w->bp = DWELL_LOST_BP;
      w->bp_at = 0;
    }
  }
  if (dwell_to_caller(w, cfa, bp_address)) return 1;
  w->exact = rule.cfa == DWELL_CFA_SP_INJECTED;
  return 0;
}

/* What the window holds already is of use: the caller says what that is, or that it is nothing. */
static __always_inline void dwell_walk_begin(struct dwell_walk *w, const struct dwell_stack_start *start,
                                             __u64 seed) {
  w->pc = start->pc;
  w->sp = start->sp;
  w->bp = start->bp;
  w->hash = seed;
  w->exact = start->flags & DWELL_PC_EXACT;
  w->hide_start = start->flags & DWELL_PC_HIDDEN;
  w->start_rule.cfa = start->cfa_offset ? DWELL_CFA_SP : DWELL_CFA_NONE;
  w->start_rule.cfa_offset = start->cfa_offset;
  w->start_rule.bp = start->bp_offset ? DWELL_BP_AT_CFA : DWELL_BP_SAME;
  w->start_rule.bp_offset = start->bp_offset;
  w->guessed = 0;
  w->left_sp = 0;
  w->end = DWELL_STACK_TOO_DEEP;
  w->return_probes = 0;
  w->next_return_probe = 0;
  w->mapping.start = 0;
  w->mapping.end = 0;
  w->count = 0;
  w->words = 0;
  w->start_sp = start->sp;
  w->highest_word = 0;
  w->bp_at = 0;
  w->start_bp_matters = 0;
  w->folded = 0;
  w->fold_period = 0;
  for (int i = 0; i < DWELL_MAX_FRAMES / 64; i++) dwell_record(w)->exact[i] = 0;
}

#endif /* DWELL_BPF_UNWIND_WALK_H */
