/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a walk keeps in memory while it is under way, and from one walk to the next. Plain C, for both sides.
 */
#ifndef DWELL_BPF_UNWIND_STATE_H
#define DWELL_BPF_UNWIND_STATE_H

#include "bpf/events.h"
#include "bpf/unwind_tables.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define DWELL_WINDOW_WORDS 1024
#define DWELL_FIRST_WINDOW 4096         /* bytes: most stacks end in it */
#define DWELL_WINDOW_ENOUGH 1024        /* bytes: what makes a window worth its read */
#define DWELL_LARGEST_STACK (64u << 20) /* farther away than this is no top of the same stack */
#define DWELL_MAX_RETURN_PROBES 64      /* the kernel's own limit on how deep they nest */
#define DWELL_LOST_BP 1ull              /* no frame pointer has this value */

/* What a walk read of the stack: as long as the same registers meet the same words, the walk has the same
 * end. */
#define DWELL_MEMO_WORDS 64
struct dwell_memo_words {
  __u16 at[DWELL_MEMO_WORDS]; /* index of the word above the first stack pointer */
  __u64 value[DWELL_MEMO_WORDS];
};

/* The walk in progress. It lives in scratch memory: a BPF program has 512 bytes of stack. */
struct dwell_walk {
  __u64 pc, sp, bp;
  __u64 hash;
  __u32 exact; /* pc is no return address */
  __u32 hide_start;
  __u32 guessed; /* pc was found by frame pointer, without a rule */
  __u32 end;
  struct dwell_unwind_rule start_rule; /* for the first frame; NONE once it is used */
  __u32 space;                         /* index of the space's first mapping */
  __u32 mappings;
  __u64 publication; /* no two published spaces have the same */
  __u32 window_size; /* bytes of the window that are filled */
  __u64 window_base;
  __u64 stack_top;  /* all from the stack pointer to here can be read, we think; 0: not known */
  __u64 thread_pointer;
  __u64 left_sp;    /* where the walk left the thread's other stack, 0 before it did */
  __u64 words_there[2];
  __u64 trampoline; /* what a hijacked return address looks like; 0 if this thread has none */
  __u32 return_probes, next_return_probe;
  __u64 slot;                          /* of the hijacked return address that is being looked up */
  struct dwell_unwind_mapping mapping; /* the one that holds the last pc */
#ifndef __bpf__
  void *env;
#endif
  __u64 rest[sizeof(struct dwell_stack_rest) / 8]; /* the head of a dwell_stack_rest; its bytes are the window */
  __u64 window[DWELL_WINDOW_WORDS];
  struct dwell_return_probe probes[DWELL_MAX_RETURN_PROBES];
  __u32 count; /* frames recorded */
  __u32 words; /* read so far; more than DWELL_MEMO_WORDS: too many, or not all of them can be told */
  __u64 start_sp, highest_word;
  __u64 bp_at;            /* where bp was read, 0: it is the one that the walk began with */
  __u32 start_bp_matters; /* some frame was found by it */
  __u32 folded;           /* turns of a recursion are left out */
  __u32 fold_period, fold_phase;
  struct dwell_memo_words memo;
  /* The dwell_stack_record as it is sent: its head, then the pcs. */
  __u64 head[sizeof(struct dwell_stack_record) / 8];
  __u64 pcs[DWELL_MAX_FRAMES];
};

static __always_inline struct dwell_stack_record *dwell_record(struct dwell_walk *w) {
  return (struct dwell_stack_record *)w->head;
}

#ifdef __bpf__
struct dwell_scratch {
  __u32 busy;
  __u32 unused;
  struct dwell_walk walk;
};

/* A walk that began with these registers. */
struct dwell_memo {
  __u32 version; /* odd while it is written */
  __u32 count;   /* of words */
  __u64 publication;
  struct dwell_stack_start start;
  __u32 bytes; /* of the stack, from sp up to the last word */
  __u32 bp_matters;
  __u64 stack;
  struct dwell_memo_words words;
};

/* Walks that began alike: all that operator new asks for has the same first pc, whoever called it. */
#define DWELL_MEMO_WAYS 4
struct dwell_memo_set {
  __u64 starts[DWELL_MEMO_WAYS]; /* tells at a glance which may be of use */
  __u32 bytes[DWELL_MEMO_WAYS];
  struct dwell_memo ways[DWELL_MEMO_WAYS];
};
#endif

#endif /* DWELL_BPF_UNWIND_STATE_H */
