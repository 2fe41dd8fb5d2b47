/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire between bpf/ and userspace/: every record that the BPF programs put into the ring buffer.
 *
 * Plain C, compiled by both sides. Each record begins with a dwell_header whose type tells which struct
 * it is; userspace decodes each record once, in userspace/collect/, and nobody past that sees these
 * structs. All records are multiples of 8 bytes. Times are CLOCK_MONOTONIC in nanoseconds
 * (bpf_ktime_get_ns). Sizes are pinned at the end.
 *
 * Order: the one ring buffer keeps reservation order. A free is sent at the function's entry, while the
 * caller still owns the block, and an allocation at its return, when the caller owns it already, so for
 * any address the order in the ring is the order of ownership, across threads too.
 */
#ifndef DWELL_BPF_EVENTS_H
#define DWELL_BPF_EVENTS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum dwell_record_type {
  DWELL_STACK = 1,         /* dwell_stack_record: a stack identity seen for the first time */
  DWELL_ALLOC = 2,         /* dwell_alloc_record: a block now belongs to the caller */
  DWELL_FREE = 3,          /* dwell_free_record: the caller gives a block back */
  DWELL_FREE_INNER = 4,    /* the same, from inside another probed function of the same thread */
  DWELL_REALLOC_BEGIN = 5, /* dwell_free_record: the block is in the hands of realloc until DWELL_REALLOC_END */
  DWELL_REALLOC_END = 6,   /* dwell_realloc_record: how that realloc ended */
  DWELL_MAP = 7,           /* dwell_map_record: mmap, mremap or brk gave address space to the program itself */
  DWELL_UNMAP = 8,         /* dwell_map_record: munmap (or a shrinking brk) took it back */
  DWELL_FORK = 9,          /* dwell_process_record: the target forked; other_id is the child's tgid */
  DWELL_EXEC = 10,         /* dwell_process_record: the target replaced its program image; other_id says who did it */
  DWELL_EXIT = 11,         /* dwell_process_record: the last thread of the target is gone */
  DWELL_THREAD_EXIT = 12,  /* dwell_process_record: one thread ended */
  DWELL_FORK_BELOW = 13,   /* dwell_process_record: a descendant that is no target forked; other_id as above */
  DWELL_STACK_REST = 15,   /* dwell_stack_rest: just before the DWELL_STACK of a walk that ended for want of a table */
  DWELL_SPAWN = 14,        /* dwell_process_record: a vfork child became a program, or that program forked */
};

/* other_id of DWELL_EXEC: another thread than the first one has taken over the process's id. Else 0. */
#define DWELL_EXEC_BY_ANOTHER_THREAD 1

#define DWELL_NO_SLOT 255 /* dwell_header.process: no target */

struct dwell_header {
  __u8 type;    /* dwell_record_type */
  __u8 process; /* which target: the slot that userspace gave to its tgid; used again when that has ended */
  __u16 probe;  /* index of the planned probe that saw it, 0 where there is none */
  __u32 tid;    /* thread id in userspace's PID namespace (bpf/pid_namespace.h) */
};

struct dwell_alloc_record {
  struct dwell_header h;
  __u64 time_ns;
  __u64 address;
  __u64 size;  /* bytes asked for */
  __u64 stack; /* identity of the caller's stack, 0 if it could not be sent */
};

struct dwell_free_record {
  struct dwell_header h;
  __u64 time_ns;
  __u64 address;
};

struct dwell_realloc_record {
  struct dwell_header h;
  __u64 time_ns;
  __u64 old_address; /* 0: the old block was none of ours */
  __u64 address;     /* what realloc returned */
  __u64 size;        /* bytes asked for */
  __u64 stack;
  /* address 0 and size > 0: failed, the old block stays. address 0 and size 0: freed. */
};

struct dwell_map_record {
  struct dwell_header h;
  __u64 time_ns;
  __u64 address;
  __u64 size;        /* bytes: whole pages, but for brk */
  __u64 stack;       /* 0 for DWELL_UNMAP */
  __u64 old_address; /* mremap: where it was, else 0 */
  __u64 old_size;    /* mremap: how large it was, else 0 */
  __u32 protection;  /* PROT_* */
  __u32 flags;       /* MAP_* */
};

struct dwell_process_record {
  struct dwell_header h;
  __u64 time_ns;
  __u64 other_id;
};

/* How a walk ended. Everything but DWELL_STACK_COMPLETE is told in the report. */
enum dwell_stack_end {
  DWELL_STACK_COMPLETE = 0,  /* reached a frame whose return address is undefined: _start, clone */
  DWELL_STACK_TOO_DEEP,      /* more than DWELL_MAX_FRAMES */
  DWELL_STACK_NO_MAPPING,    /* a pc in no known executable mapping */
  DWELL_STACK_NO_RULE,       /* no unwind rule, and the frame pointer leads nowhere */
  DWELL_STACK_UNSUPPORTED,   /* a rule that only a full DWARF expression can say */
  DWELL_STACK_READ_FAILED,   /* the stack's memory could not be read */
  DWELL_STACK_NOT_GROWING,   /* the next frame lies below this one: a broken chain */
  DWELL_STACK_ASYNC,         /* below a signal frame, where only the full table would do */
  DWELL_STACK_TABLE_PENDING, /* the module arrived a moment ago: its table was not loaded yet */
  DWELL_STACK_FOLDED,        /* complete; of a deep recursion, turns are left out */
  DWELL_STACK_ENDS
};

#define DWELL_MAX_FRAMES 256
#define DWELL_MAX_STEPS 16384 /* frames that a walk goes through, recorded or not */

/* Followed by `count` pcs, leaf first, as found: return addresses, but for those whose bit is set in
 * exact[] (the pc that a signal interrupted). */
struct dwell_stack_record {
  struct dwell_header h;
  __u64 time_ns;
  __u64 stack;
  __u32 count;
  __u32 end; /* dwell_stack_end */
  __u64 exact[DWELL_MAX_FRAMES / 64];
  __u64 pcs[];
};

/* Where a walk ended because userspace had not yet brought a table, followed by `size` bytes of the stack from sp upward:
 * userspace goes on from there. Such a walk has an identity that no other has. */
struct dwell_stack_rest {
  struct dwell_header h;
  __u64 time_ns;
  __u64 stack;
  __u64 pc, sp, bp;
  __u32 exact; /* pc is no return address */
  __u32 size;
};

/* Everything that is lost is counted, per CPU, and shown. Index of the losses map; append only: recordings
 * hold these numbers. */
enum dwell_loss {
  DWELL_LOST_ALLOC = 0,   /* ring full (or in the part kept for frees): the block is not tracked at all */
  DWELL_LOST_FREE,        /* ring full: a block may look retained that is not */
  DWELL_LOST_STACK,       /* ring full: the allocation counts, its stack is unknown */
  DWELL_LOST_MAP,
  DWELL_LOST_PROCESS,      /* exec, exit, and what can't be remembered of a process */
  DWELL_LOST_THREAD_STATE, /* no memory for a thread's state: its calls are not seen */
  DWELL_LOST_SCRATCH,      /* no scratch memory to unwind in */
  DWELL_LOST_FORK,         /* ring full: a child that nobody is told of */
  DWELL_LOST_THREAD,       /* the creation of a thread, or its join */
  DWELL_LOST_RESULT,       /* what a call gave back could not be read */
  DWELL_LOST_NESTING,      /* whether one call is inside another could not be read */
  DWELL_LOST_RETURN,       /* the kernel allows no further return probe on this thread */
  DWELL_LOST_BLOCKED,      /* a wait that found no room in the sums of blocked time */
  DWELL_LOST_WAKER_NAME,
  DWELL_LOST_CLOCK_READ,   /* from here on in the order of dwell_clock_loss */
  DWELL_LOST_CLOCK_WAIT,
  DWELL_LOST_CLOCK_PAIR,
  DWELL_LOST_CLOCK_SET,
  DWELL_LOST_CLOCK_THREAD,
  DWELL_LOST_CLOCK_TIMER,
  DWELL_LOST_CLOCK_ARGUMENT,
  DWELL_LOST_GO_SAMPLE,
  DWELL_LOST_GO_PARK,
  DWELL_LOST_GO_CONTEXT,
  DWELL_LOST_GO_PARENT, /* the parents of a context could not be read */
  DWELL_LOST_FAULT,     /* a page fault: who touched that page is not known */
  DWELL_LOST_OPEN,      /* ring full: a descriptor whose opening is not known */
  DWELL_LOST_CLOSE,     /* ring full: a descriptor may look open that is not */
  DWELL_LOST_TABLE,     /* a thread with a descriptor table of its own opened or closed something there */
  DWELL_LOST_TAKE,      /* ring full: a resource of --pair that was taken is not tracked */
  DWELL_LOST_GIVE,      /* ring full: one may look held that was given back */
  DWELL_LOST_LOCK_WAIT, /* a wait for a lock that found no room in the sums */
  DWELL_LOST_KINDS
};

/* Value of the losses map. */
struct dwell_loss_count {
  __u64 count;    /* since load */
  __u64 first_ns; /* the first one since userspace read them */
  __u64 last_ns;
  __u64 reading;  /* what first_ns belongs to */
};

#if defined(__cplusplus)
#define DWELL_PIN(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define DWELL_PIN(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif
DWELL_PIN(struct dwell_header, 8);
DWELL_PIN(struct dwell_alloc_record, 40);
DWELL_PIN(struct dwell_free_record, 24);
DWELL_PIN(struct dwell_realloc_record, 48);
DWELL_PIN(struct dwell_map_record, 64);
DWELL_PIN(struct dwell_process_record, 24);
DWELL_PIN(struct dwell_stack_record, 64);
DWELL_PIN(struct dwell_stack_rest, 56);
DWELL_PIN(struct dwell_loss_count, 32);

#endif /* DWELL_BPF_EVENTS_H */
