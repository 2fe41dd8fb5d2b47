/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unwind tables as userspace writes them and the BPF programs read them, and where a walk over them starts.
 * Plain C, compiled by both sides.
 *
 *   spaces[process] ──▶ mappings[i]      { generation, count }        header of one address space
 *                       mappings[i+1..]  sorted by start
 *                            │ pc in [start, end): offset = pc - bias
 *                            ▼
 *                       pages[call_pages + (offset >> 12)] ──▶ { first_row, rows }
 *                            │ the last row whose pc is <= offset
 *                            ▼
 *                       rows[k] { pc, rule } ──▶ rules[rule]          one dictionary for all modules
 *
 * All of them are mmapable arrays: userspace fills them with plain stores, and publishes an address space
 * with one aligned 4-byte store to spaces[]. Nothing that a published space reaches is ever changed in
 * place; what it no longer reaches is reused only after a grace period.
 */
#ifndef DWELL_BPF_UNWIND_TABLES_H
#define DWELL_BPF_UNWIND_TABLES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define DWELL_UNWIND_SPACES 256 /* one for each process slot */
#define DWELL_UNWIND_PAGE_SHIFT 12
#define DWELL_UNWIND_MAX_MAPPINGS 65535

/* Where the canonical frame address (the stack pointer before the call) is. The return address lies 8 bytes
 * below it. */
enum dwell_cfa_kind {
  DWELL_CFA_NONE = 0,    /* no unwind information here: follow the frame pointer */
  DWELL_CFA_SP,          /* rsp + cfa_offset */
  DWELL_CFA_BP,          /* rbp + cfa_offset */
  DWELL_CFA_DEREF_SP,    /* *(rsp + (cfa_offset >> 8)) + (cfa_offset & 255) */
  DWELL_CFA_DEREF_BP,    /* *(rbp + (cfa_offset >> 8)) + (cfa_offset & 255): realigned frames */
  DWELL_CFA_PLT,         /* rsp + 8, or + 16 from byte cfa_offset of the 16-byte entry on */
  DWELL_CFA_SIGNAL,      /* the signal trampoline: everything is in the signal frame at rsp */
  DWELL_CFA_END,         /* return address undefined: the outermost frame */
  DWELL_CFA_UNSUPPORTED, /* says something that none of these can */
  DWELL_CFA_SP_INJECTED, /* rsp + cfa_offset; what it returns to was interrupted, and called nothing */
  /* In Go's runtime, whose calls of C go on on another stack; see unwind_go.h. */
  DWELL_CFA_GOROUTINE,    /* asmcgocall: cfa_offset is g's place << 16 | the depth's place << 8 | words pushed */
  DWELL_CFA_SYSTEM_STACK, /* systemstack: cfa_offset is the place of the goroutine in its thread << 8 | words pushed */
  DWELL_CFA_CALLED_BY_C,  /* cgocallback: cfa_offset is how far from here the return address in crosscall2 is */
  DWELL_CFA_KINDS
};

/* Where the caller's rbp is. */
enum dwell_bp_kind {
  DWELL_BP_SAME = 0,
  DWELL_BP_AT_CFA, /* saved at cfa + bp_offset */
  DWELL_BP_AT_BP,  /* saved at rbp + bp_offset: realigned frames */
  DWELL_BP_LOST,   /* not to be had */
  DWELL_BP_KINDS
};

struct dwell_unwind_rule {
  __s32 cfa_offset; /* real binaries exceed 16 bits */
  __s16 bp_offset;
  __u8 cfa; /* dwell_cfa_kind */
  __u8 bp;  /* dwell_bp_kind */
};

struct dwell_unwind_row {
  __u32 pc; /* offset from the table's base; the row holds up to the next row's pc */
  __u32 rule;
};

struct dwell_unwind_page {
  __u32 first_row; /* the row that holds at the page's first byte, if any row does */
  __u32 rows;
};

enum dwell_mapping_kind {
  DWELL_MAPPING_TABLE = 0,
  DWELL_MAPPING_NO_TABLE, /* generated code, or a file without unwind information: frame pointers only */
  DWELL_MAPPING_PENDING,  /* known, but its table is not loaded yet */
};

#define DWELL_NO_PAGES 0xffffffffu

struct dwell_unwind_mapping {
  __u64 start, end;
  __u64 bias; /* pc - bias is the offset from the table's base */
  __u32 page_count;
  __u32 call_pages; /* first page of the table that holds only rows in which a call can lie */
  __u32 full_pages; /* first page of the full table, or DWELL_NO_PAGES until a signal frame needs it */
  __u32 kind;       /* dwell_mapping_kind */
  __u32 unused[2];
};

/* The element in front of a space's mappings, in the same array. */
struct dwell_unwind_space {
  __u64 generation;  /* part of every stack's identity: changes when an address changes its meaning */
  __u64 publication; /* counts up from 1 with each space that is published, of any process */
  __u32 count;
  __u32 unused0;
  __u64 unused[3];
};

/* ---- where a walk starts ---- */

/* How the first pc is to be understood. Without a flag it is a return address and its frame is recorded. */
#define DWELL_PC_EXACT 1u  /* the thread stands at this pc: a probe, or an interrupted instruction */
#define DWELL_PC_HIDDEN 2u /* with a cfa_offset: leave the first pc out, the caller's stack is wanted */

struct dwell_stack_start {
  __u64 pc, sp, bp;
  __u32 flags;
  /* Where the frame is, as the one who placed the probe knows: 0 to find it in the tables, 8 at a function's
   * entry, more after its pushes. */
  __s16 cfa_offset; /* cfa = sp + cfa_offset */
  __s16 bp_offset;  /* the caller's rbp was saved at cfa + bp_offset; 0: rbp is still the caller's */
};

/* A pending return probe of the walked thread. */
struct dwell_return_probe {
  __u64 slot;   /* where the hijacked return address lies */
  __u64 target; /* what lay there before */
};

/* Walks that may still send the rest of their stack. None before userspace has asked for it. */
#define DWELL_MOST_RESTS 1024
#define DWELL_REST_EVERY_NS 100000000
struct dwell_rest_budget {
  __u64 left, since_ns;
};

/* Stack identities that were sent. A set of 8 is one cache line. */
struct dwell_seen_set {
  __u64 stacks[8];
};

#if defined(__cplusplus)
#define DWELL_PIN_TABLE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define DWELL_PIN_TABLE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif
DWELL_PIN_TABLE(struct dwell_unwind_rule, 8);
DWELL_PIN_TABLE(struct dwell_unwind_row, 8);
DWELL_PIN_TABLE(struct dwell_unwind_page, 8);
DWELL_PIN_TABLE(struct dwell_unwind_mapping, 48);
DWELL_PIN_TABLE(struct dwell_unwind_space, 48);
DWELL_PIN_TABLE(struct dwell_seen_set, 64);

#endif /* DWELL_BPF_UNWIND_TABLES_H */
