/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a walk asks its environment for, the identity of a stack, and the stack's memory: what unwind_walk.h and unwind_go.h
 * are made of. */
#ifndef DWELL_BPF_UNWIND_STACK_H
#define DWELL_BPF_UNWIND_STACK_H

#include "bpf/unwind_state.h"

static const struct dwell_unwind_mapping *dwell_env_mapping(struct dwell_walk *w, __u32 index);
static const struct dwell_unwind_page *dwell_env_page(struct dwell_walk *w, __u32 index);
static const struct dwell_unwind_row *dwell_env_row(struct dwell_walk *w, __u32 index);
static const struct dwell_unwind_rule *dwell_env_rule(struct dwell_walk *w, __u32 index);
static long dwell_env_read(struct dwell_walk *w, void *to, __u32 size, __u64 from); /* 0: done */
/* One word of the cache of rules by return address, or null. */
static __u64 *dwell_env_cached(struct dwell_walk *w, __u32 index);
/* Calls step(index, context) up to `times` times, until it returns 1. */
static long dwell_env_loop(__u32 times, long (*step)(__u64, void *), void *context);
/* Whether pc lies in executable memory that is no file's: code that was generated since userspace looked.
 * Then w->mapping is that memory. */
static int dwell_env_is_generated(struct dwell_walk *w, __u64 pc);
/* Fills probes[] with the thread's pending return probes, innermost first. */
static void dwell_env_return_probes(struct dwell_walk *w);

/* ---- identity ---- */

static __always_inline __u64 dwell_mix(__u64 h, __u64 word) {
  word *= 0x87c37b91114253d5ull;
  word = (word << 31) | (word >> 33);
  word *= 0x4cf5ad432745937full;
  h ^= word;
  h = (h << 27) | (h >> 37);
  return h * 5 + 0x52dce729;
}

static __always_inline __u64 dwell_finish_hash(__u64 h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  h ^= h >> 33;
  return h ? h : 1; /* 0 means that there is no stack */
}

/* ---- the stack's memory ---- */

/* Fills the window from `from` upward. A read costs much, and more bytes cost little; only a read past the
 * stack's upper end costs more still, for it fails in a page fault. Where that end is not known, the rest of
 * the page is sure to be there. */
static __always_inline int dwell_refill(struct dwell_walk *w, __u64 from) {
  __u64 to_top = w->stack_top - from;
  __u32 to_page_end = 4096 - (from & 4095), size = to_page_end;
  __u32 most = w->window_size ? sizeof(w->window) : DWELL_FIRST_WINDOW;
  if (to_top - DWELL_WINDOW_ENOUGH < DWELL_LARGEST_STACK)
    size = to_top < most ? to_top : most;
  else if (to_page_end < DWELL_WINDOW_ENOUGH)
    size = to_page_end + 4096;
  if (dwell_env_read(w, w->window, size, from)) {
    if (size == to_page_end || dwell_env_read(w, w->window, to_page_end, from)) return -1;
    size = to_page_end;
  }
  w->window_base = from;
  w->window_size = size;
  return 0;
}

/* The walk depends on more than the words in its memo. */
static __always_inline void dwell_depends_on_more(struct dwell_walk *w) { w->words = DWELL_MEMO_WORDS + 1; }

static __always_inline void dwell_note_word(struct dwell_walk *w, __u64 address, __u64 value) {
  __u64 at = (address - w->start_sp) >> 3;
  __u32 n = w->words;
  if (n >= DWELL_MEMO_WORDS || at >= DWELL_WINDOW_WORDS || (address - w->start_sp) & 7) {
    dwell_depends_on_more(w);
    return;
  }
  w->memo.at[n & (DWELL_MEMO_WORDS - 1)] = at;
  w->memo.value[n & (DWELL_MEMO_WORDS - 1)] = value;
  if (at > w->highest_word) w->highest_word = at;
  w->words = n + 1;
}

/* A word that the window can't hold: unaligned, or below it. */
static __always_inline int dwell_read_outside(struct dwell_walk *w, __u64 address, __u64 *word) {
  dwell_depends_on_more(w);
  return dwell_env_read(w, word, 8, address) ? -1 : 0;
}

static __always_inline int dwell_peek_word(struct dwell_walk *w, __u64 address, __u64 *word) {
  __u64 offset = address - w->window_base;
  if (offset & 7) return dwell_read_outside(w, address, word);
  if (offset >= w->window_size) {
    if (address < w->window_base && w->window_size) return dwell_read_outside(w, address, word);
    if (dwell_refill(w, address)) return -1;
    offset = 0;
  }
  *word = w->window[(offset >> 3) & (DWELL_WINDOW_WORDS - 1)];
  return 0;
}

static __always_inline int dwell_read_word(struct dwell_walk *w, __u64 address, __u64 *word) {
  if (dwell_peek_word(w, address, word)) return -1;
  dwell_note_word(w, address, *word);
  return 0;
}

/* Most code keeps something else than a frame pointer in rbp: what it is matters only once a frame is found
 * by it. */
static __always_inline void dwell_note_bp(struct dwell_walk *w) {
  if (w->bp_at)
    dwell_note_word(w, w->bp_at, w->bp);
  else
    w->start_bp_matters = 1;
}

/* ---- its end ---- */

static __always_inline int dwell_stop(struct dwell_walk *w, __u32 end) {
  w->end = end == DWELL_STACK_COMPLETE && w->folded ? DWELL_STACK_FOLDED : end;
  return 1;
}

#endif /* DWELL_BPF_UNWIND_STACK_H */
