/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a probe on an allocation function has to know, packed into the 64-bit cookie of its attachment.
 *
 * Hundreds of functions of a dozen allocators come down to these few shapes: where the size is, where the
 * old block is, and where the new block comes out. "Argument n" is the n-th of the System V calling
 * convention: rdi, rsi, rdx, rcx, r8, r9. Plain C, compiled by both sides.
 */
#ifndef DWELL_BPF_PROBE_SHAPES_H
#define DWELL_BPF_PROBE_SHAPES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum dwell_probe_shape {
  DWELL_SHAPE_NONE = 0,

  /* The block is what the function returns; 0 is a failure, and no block. */
  DWELL_SHAPE_SIZE_ARG0 = 1,         /* malloc(size), operator new(size), mallocx(size, flags) */
  DWELL_SHAPE_SIZE_ARG1 = 2,         /* aligned_alloc(alignment, size), mi_heap_malloc(heap, size) */
  DWELL_SHAPE_PRODUCT_ARG0_ARG1 = 3, /* calloc(count, size) */
  DWELL_SHAPE_PRODUCT_ARG1_ARG2 = 4, /* mi_heap_calloc(heap, count, size) */

  /* The block is stored through argument 0 if the function returns 0. The size is argument 2. */
  DWELL_SHAPE_MEMALIGN_OUT = 5, /* posix_memalign(out, alignment, size) */

  /* The old block goes in, and a block comes out. 0: failed and the old one stays, or size was 0. */
  DWELL_SHAPE_REALLOC_ARG0_ARG1 = 6, /* realloc(block, size), rallocx(block, size, flags) */
  DWELL_SHAPE_REALLOC_ARG1_ARG2 = 7, /* mi_heap_realloc(heap, block, size) */
  DWELL_SHAPE_REALLOCARRAY = 8,      /* reallocarray(block, count, size) */
  DWELL_SHAPE_REALLOCARRAY_ARG1 = 9, /* mi_heap_reallocn(heap, block, count, size) */
  DWELL_SHAPE_REALLOCF = 10,         /* reallocf(block, size): as realloc, but a failure frees the block */

  /* Resizes in place or not at all: returns the real size, which is below argument 1 if it could not. */
  DWELL_SHAPE_XALLOCX = 11, /* xallocx(block, size, extra, flags) */

  /* The block is argument 0, and 0 is no block. No return probe. */
  DWELL_SHAPE_FREE_ARG0 = 12, /* free(block), operator delete(block, ...), dallocx, sdallocx */

  /* Address space. -1 (for brk: another return than 0) is a failure. */
  DWELL_SHAPE_MMAP = 13,   /* mmap(address, size, protection, flags, fd, offset) */
  DWELL_SHAPE_MUNMAP = 14, /* munmap(address, size), no return probe: fails only on an unaligned address or size 0 */
  DWELL_SHAPE_MREMAP = 15, /* mremap(old, old_size, size, flags, address) */
  DWELL_SHAPE_BRK = 16,    /* brk(address): int */
  DWELL_SHAPE_SBRK = 17,   /* sbrk(increment): the end before */

  /* __cxa_throw(...): calls that are under way may end without a return. No return probe. */
  DWELL_SHAPE_THROW = 18,

  /* Of --pair (bpf/pairs.h). What the function returns or stores is taken; what argument it takes; what argument it gives back. */
  DWELL_SHAPE_TAKE_RESULT = 19,
  DWELL_SHAPE_TAKE_ARGUMENT = 20, /* no return probe */
  DWELL_SHAPE_GIVE = 21,          /* no return probe */
  DWELL_SHAPES
};

/*
 *  63      48 47      40 39        24 23         8 7     0
 * +----------+----------+------------+------------+-------+
 * |   span   |  flags   | CFA offset | probe index| shape |
 * +----------+----------+------------+------------+-------+
 *
 * CFA offset: CFA - rsp at the probed instruction, so the return address is at rsp + offset - 8. It is 8
 * wherever the function has pushed nothing yet, and always 8 where there is a return probe.
 * Span: bytes from the probed instruction to the function's end; only with DWELL_PROBE_ASKS.
 *
 * The end of a call is seen in one of three ways. A return probe replaces the return address on the stack by
 * the kernel's trampoline. Unwinders do not know the trampoline, and an exception that meets it ends the
 * program, so functions that may throw have none: either each instruction at which they return has a probe
 * (EXITS), or another probed function, whose block they hand on, is seen to return (ASKS).
 */
#define DWELL_PROBE_RETURNS 0x01 /* wants its return probe: the entry of a session returns 0 */
#define DWELL_PROBE_EXITS 0x02   /* its return instructions are probed */
#define DWELL_PROBE_NESTS 0x04   /* calls another probed function that gives out memory */
#define DWELL_PROBE_ASKS 0x08    /* hands on the block of an aligned_alloc that it calls for a rounded size */
#define DWELL_PROBE_GO 0x10      /* of Go's convention of calls (bpf/go_probes.h); at exits too, whose cookie is that of --pair then */

static inline __u64 dwell_probe_cookie(unsigned shape, unsigned index, unsigned cfa_offset, unsigned flags) {
  return (__u64)(shape & 0xff) | (__u64)(index & 0xffff) << 8 | (__u64)(cfa_offset & 0xffff) << 24 |
         (__u64)(flags & 0xff) << 40;
}
static inline __u64 dwell_probe_with_span(__u64 cookie, unsigned span) {
  return cookie | (__u64)(span & 0xffff) << 48;
}
static inline unsigned dwell_probe_shape_of(__u64 cookie) { return (unsigned)(cookie & 0xff); }
static inline unsigned dwell_probe_index_of(__u64 cookie) { return (unsigned)(cookie >> 8 & 0xffff); }
static inline unsigned dwell_probe_cfa_offset_of(__u64 cookie) { return (unsigned)(cookie >> 24 & 0xffff); }
static inline unsigned dwell_probe_flags_of(__u64 cookie) { return (unsigned)(cookie >> 40 & 0xff); }
static inline unsigned dwell_probe_span_of(__u64 cookie) { return (unsigned)(cookie >> 48); }

/*
 * The cookie of a probe at an exit. At a return instruction all is known. Before one, at a conditional jump that
 * leads to nothing else on one of its ways: the shape tells which register holds the result by then, and the
 * jump's condition, and the span where the caller's rbp is, as rsp + span - 1; 0: in rbp.
 */
#define DWELL_EXIT_AT_BRANCH 0x01
#define DWELL_EXIT_TAKEN 0x02 /* the way that the jump takes when its condition is true */
#define DWELL_EXIT_ALWAYS 0x04 /* an unconditional jump, to a function that returns its argument */

static inline unsigned dwell_exit_shape(unsigned result_register, unsigned condition) {
  return (result_register & 15) | (condition & 15) << 4;
}

/* Whether a conditional jump is taken: `condition` is the low four bits of its opcode. */
static inline int dwell_jump_is_taken(unsigned condition, __u64 flags) {
  int carry = flags & 1, parity = flags >> 2 & 1, zero = flags >> 6 & 1, sign = flags >> 7 & 1;
  int overflow = flags >> 11 & 1, holds = 0;
  switch (condition >> 1) {
    case 0:
      holds = overflow;
      break;
    case 1:
      holds = carry;
      break;
    case 2:
      holds = zero;
      break;
    case 3:
      holds = carry | zero;
      break;
    case 4:
      holds = sign;
      break;
    case 5:
      holds = parity;
      break;
    case 6:
      holds = sign != overflow;
      break;
    case 7:
      holds = zero | (sign != overflow);
      break;
  }
  return holds != (int)(condition & 1);
}

#endif /* DWELL_BPF_PROBE_SHAPES_H */
