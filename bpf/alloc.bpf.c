// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The memory tracer: sees each allocation at its return and each free at its entry, and sends what it saw.
 *
 * A call is "outer" when no other probed function of the same thread is under way, and only outer calls
 * count: operator new calls malloc, malloc calls mmap, and one block is one block. A thread's state
 * remembers the stack pointer of its outer call. A jump may leave a call without returning, so a remembered
 * call counts only as long as its return address on the stack still is the kernel's trampoline.
 *
 * Functions that may throw have no return probe (bpf/probe_shapes.h). A call of one that is probed at its
 * return instructions is known by its stack pointer there, which is that of the entry, and is over when its
 * return address is no longer on the stack, or when something was thrown.
 *
 *     calls of thread 42           sp        call.sp    outer?
 *     operator new(64)             0x7f..60  0x7f..60   yes: sent at its return
 *       malloc(64)                 0x7f..40  0x7f..60   no: 0x40 < 0x60, and the outer call is alive
 *     malloc(16)                   0x7f..80  0x7f..80   yes: 0x80 > 0x60, so the call before is over
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/alloc_windows.h"
#include "bpf/call_end.h"
#include "bpf/events.h"
#include "bpf/probe_hits.h"
#include "bpf/probe_shapes.h"
#include "bpf/sampling.h"
#include "bpf/targets.h"
#include "bpf/unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Mean bytes between samples; 0: every allocation. */
const volatile __u64 sample_bytes = 0;

/* Within a budget: bpf/alloc_windows.h. */
const volatile bool budgeted = false;
struct dwell_level_state levels[DWELL_LEVEL_SLOTS] = {};
__u64 window_number = 0; /* of the window that is open, or was last */
__u64 window_events = 0; /* of that window, also those that found no room */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1); /* raised before loading, with a budget */
  __type(key, __u32);
  __type(value, struct dwell_window_block);
} window_log SEC(".maps");

/* <bits/mman.h>, which the BPF side does not include. */
#define DWELL_READ_WRITE 0x3
#define DWELL_PRIVATE_ANONYMOUS 0x22
#define DWELL_MREMAP_DONTUNMAP 4
#define DWELL_PAGE_MASK 4095
#define DWELL_USER_END (1ull << 56) /* with five levels of page tables */

struct call {
  __u64 sp;      /* where the return address lies, at the function's entry; 0: no call is under way */
  __u64 size;    /* bytes asked for */
  __u64 pointer; /* realloc, mremap: the old block; posix_memalign: where the result will be; brk: the old end
                  */
  __u64 old_size; /* mremap */
  __u64 return_address; /* of a call whose return instructions are probed; 0: it has a return probe */
  __u32 protection;
  __u32 flags;
  __u16 probe;
  __u8 shape;
  __u8 sampled;
  __u8 thrown; /* an exception was thrown since, so it may be over */
  __u64 began_ns, entered_ns; /* when its entry was hit, and when our program was done with that; with a budget */
};

/* What a function was asked for that calls another one for a rounded size. */
struct asked {
  __u64 sp; /* as in call; 0: none */
  __u64 size;
  __u64 ip, span; /* its code is [ip, ip + span) */
};

/* A call that was not sampled and has no return probe: what it calls is still none of the program's doing. */
struct skipped_call {
  __u64 sp; /* as in call; 0: none */
  __u64 return_address;
  __u64 ip;
};

struct thread_state {
  struct call call;
  struct skipped_call skipped;
  struct asked asked;
  __s64 until_sample; /* bytes until the next sampled byte; 0: not drawn yet */
  __u64 wake;         /* how the record of this hit is sent: BPF_RB_NO_WAKEUP or BPF_RB_FORCE_WAKEUP */
  __u32 tid;
  __u8 slot; /* of its process: saves the look-up in targets */
  __u64 hit_ns; /* when this hit reached our program; with a budget */
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct thread_state);
} threads SEC(".maps");

/* Sampled blocks that live, so that the many frees of the others are not sent. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1); /* raised before loading, when sampling */
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_block_key);
  __type(value, __u8);
} sampled_blocks SEC(".maps");

#define SEND(record, loss)                                                                           \
  do {                                                                                               \
    if (bpf_ringbuf_output(&events, &(record), sizeof(record), state->wake)) dwell_count_loss(loss); \
  } while (0)

static __always_inline struct dwell_header header_of(struct thread_state *state, __u8 type, __u16 probe) {
  struct dwell_header h = {.type = type, .process = state->slot, .probe = probe, .tid = state->tid};
  return h;
}

static __always_inline void send_free(struct thread_state *state, __u8 type, __u16 probe, __u64 address) {
  struct dwell_free_record record = {
      .h = header_of(state, type, probe), .time_ns = bpf_ktime_get_ns(), .address = address};
  SEND(record, DWELL_LOST_FREE);
}

/* ---- budget ---- */

/* Counts the hit. False: it is beyond what the process may pay, or outside a window. */
static __always_inline bool within_budget(struct thread_state *state) {
  if (!budgeted) return true;
  struct dwell_level_state *own = &levels[state->slot];
  __u64 before = __sync_fetch_and_add(&own->hits, 1);
  if (own->level == DWELL_LEVEL_CLOSED) return false;
  if (before < own->limit) return true;
  if (!own->cut_ns) own->cut_ns = bpf_ktime_get_ns();
  return false;
}

static __always_inline bool in_window(struct thread_state *state) {
  return budgeted && levels[state->slot].level >= DWELL_LEVEL_CLOSED;
}

static __always_inline void log_in_window(struct thread_state *state, __u8 event, __u16 probe, __u64 address, __u64 size,
                                          __u64 stack) {
  if (levels[state->slot].level != DWELL_LEVEL_WINDOW) return; /* it was closed during the call */
  __u32 index = __sync_fetch_and_add(&window_events, 1);
  struct dwell_window_block *block = bpf_map_lookup_elem(&window_log, &index);
  if (!block) return;
  block->window = 0;
  block->time_ns = bpf_ktime_get_ns();
  block->address = address;
  block->size = size;
  block->stack = stack;
  block->tid = state->tid;
  block->probe = probe;
  block->slot = state->slot;
  block->event = event;
  block->sleeps = bpf_get_current_task_btf()->nvcsw;
  block->between_ns = state->hit_ns - state->call.entered_ns;
  block->program_ns = block->time_ns - state->hit_ns + state->call.entered_ns - state->call.began_ns;
  barrier();
  *(volatile __u32 *)&block->window = window_number; /* x86 keeps the order of stores */
}

static __always_inline __u64 callers_stack(struct call_end *end, struct thread_state *state) {
  return stack_from(end->pc, end->sp, end->bp, (__u64)state->slot << 32 | state->tid, end->hidden);
}

/* ---- sampling ---- */

static __always_inline bool is_sampled(struct thread_state *state, __u64 size) {
  if (!sample_bytes) return true;
  if (!state->until_sample) state->until_sample = dwell_next_sample(bpf_get_prandom_u32(), sample_bytes);
  if (size > (1ull << 62)) size = 1ull << 62;
  state->until_sample -= size;
  if (state->until_sample > 0) return false;
  state->until_sample = dwell_next_sample(bpf_get_prandom_u32(), sample_bytes);
  return true;
}

static __always_inline struct dwell_block_key block_key(struct thread_state *state, __u64 address) {
  struct dwell_block_key key = {.address = address, .process = state->slot};
  return key;
}

/* True if the ledger knows the block: all of them, unless we sample. */
static __always_inline bool is_tracked(struct thread_state *state, __u64 address) {
  if (!sample_bytes) return true;
  struct dwell_block_key key = block_key(state, address);
  return bpf_map_lookup_elem(&sampled_blocks, &key) != NULL;
}

static __always_inline bool forget_block(struct thread_state *state, __u64 address) {
  if (!sample_bytes) return true;
  struct dwell_block_key key = block_key(state, address);
  return bpf_map_delete_elem(&sampled_blocks, &key) == 0;
}

/* False if the block can't be remembered: it is then not tracked at all, rather than never freed. */
static __always_inline bool remember_block(struct thread_state *state, __u64 address) {
  if (!sample_bytes) return true;
  struct dwell_block_key key = block_key(state, address);
  __u8 present = 1;
  if (bpf_map_update_elem(&sampled_blocks, &key, &present, BPF_ANY) == 0) return true;
  dwell_count_loss(DWELL_LOST_ALLOC);
  return false;
}

/* ---- entry ---- */

/* Of the return address of a call that may be under way above sp. A stack that was unmapped can't be
 * read, and its calls are over; so near to sp, it is still the same stack, and just not in memory. */
#define DWELL_SAME_STACK (64ull << 10)
static __always_inline __u64 read_return_address(__u64 address, __u64 sp) {
  __u64 word = 0;
  if (bpf_probe_read_user(&word, sizeof(word), (void *)address) && address - sp < DWELL_SAME_STACK)
    dwell_count_loss(DWELL_LOST_NESTING);
  return word;
}

/* True if an outer call of this thread is under way above a call whose return address lies at sp. The same sp
 * is a tail call: reallocarray ends in a jump to realloc. */
static __always_inline bool is_inner(struct thread_state *state, __u64 sp) {
  struct call *call = &state->call;
  if (!call->sp || sp > call->sp || call->thrown) return false;
  __u64 expected = call->return_address;
  if (!expected) expected = dwell_trampoline(bpf_get_current_task_btf());
  return read_return_address(call->sp, sp) == expected;
}

static __always_inline void throw_entered(struct pt_regs *ctx, struct thread_state *state) {
  if (ctx->sp <= state->call.sp) state->call.thrown = 1;
}

static __always_inline void skip_call(struct thread_state *state, struct pt_regs *ctx, __u64 sp) {
  state->call.sp = 0;
  state->skipped.sp = sp;
  state->skipped.ip = ctx->ip;
  state->skipped.return_address = read_word(sp);
}

/* True if an allocator takes address space inside a call that was skipped. Nothing tells when such a call
 * ended, and its return address may stay on the dead stack: so the one that asks must be of the allocator's
 * module too. */
#define DWELL_MODULE_SPAN (16ull << 20)
static __always_inline bool is_inside_skipped(struct thread_state *state, __u64 sp) {
  struct skipped_call *skipped = &state->skipped;
  if (!skipped->sp || sp > skipped->sp) return false;
  __u64 return_address = read_word(skipped->sp);
  if (return_address != skipped->return_address &&
      return_address != dwell_trampoline(bpf_get_current_task_btf()))
    return false;
  return read_word(sp) - skipped->ip + DWELL_MODULE_SPAN < 2 * DWELL_MODULE_SPAN;
}

static __always_inline __u64 program_break(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  return BPF_CORE_READ(task, mm, brk);
}

/* count * size, or as much as no allocator has: such a call fails, and must not look like a small one. */
static __always_inline __u64 product(__u64 count, __u64 size) {
  __u64 large = count > size ? count : size, small = count > size ? size : count;
  __u64 high = (large >> 32) * (small & 0xffffffff);
  if (small >> 32 || high >> 32) return ~0ull;
  return large * small;
}

static __always_inline __u64 whole_pages(__u64 size) {
  return (size + DWELL_PAGE_MASK) & ~(__u64)DWELL_PAGE_MASK;
}

static __always_inline void read_arguments(struct pt_regs *ctx, struct call *call) {
  __u64 first = ctx->di, second = ctx->si, third = ctx->dx, fourth = ctx->cx;
  switch (call->shape) {
    case DWELL_SHAPE_SIZE_ARG0:
      call->size = first;
      break;
    case DWELL_SHAPE_SIZE_ARG1:
      call->size = second;
      break;
    case DWELL_SHAPE_PRODUCT_ARG0_ARG1:
      call->size = product(first, second);
      break;
    case DWELL_SHAPE_PRODUCT_ARG1_ARG2:
      call->size = product(second, third);
      break;
    case DWELL_SHAPE_MEMALIGN_OUT:
      call->pointer = first;
      call->size = third;
      break;
    case DWELL_SHAPE_REALLOC_ARG0_ARG1:
    case DWELL_SHAPE_REALLOCF:
    case DWELL_SHAPE_XALLOCX:
      call->pointer = first;
      call->size = second;
      break;
    case DWELL_SHAPE_REALLOC_ARG1_ARG2:
      call->pointer = second;
      call->size = third;
      break;
    case DWELL_SHAPE_REALLOCARRAY:
      call->pointer = first;
      call->size = product(second, third);
      break;
    case DWELL_SHAPE_REALLOCARRAY_ARG1:
      call->pointer = second;
      call->size = product(third, fourth);
      break;
    case DWELL_SHAPE_MMAP:
      call->size = whole_pages(second);
      call->protection = third;
      call->flags = fourth;
      break;
    case DWELL_SHAPE_MREMAP:
      call->pointer = first;
      call->old_size = fourth & DWELL_MREMAP_DONTUNMAP ? 0 : whole_pages(second);
      call->size = whole_pages(third);
      call->protection = DWELL_READ_WRITE;
      call->flags = DWELL_PRIVATE_ANONYMOUS;
      break;
    case DWELL_SHAPE_BRK:
    case DWELL_SHAPE_SBRK:
      call->pointer = program_break();
      break;
  }
}

static __always_inline bool is_realloc(__u8 shape) {
  return shape >= DWELL_SHAPE_REALLOC_ARG0_ARG1 && shape <= DWELL_SHAPE_REALLOCF;
}

static __always_inline bool is_address_space(__u8 shape) { return shape >= DWELL_SHAPE_MMAP; }

static __always_inline void free_entered(struct pt_regs *ctx, struct thread_state *state, __u64 cookie) {
  __u64 address = ctx->di;
  if (!address || !forget_block(state, address)) return;
  __u64 sp = ctx->sp + dwell_probe_cfa_offset_of(cookie) - 8;
  send_free(state, is_inner(state, sp) ? DWELL_FREE_INNER : DWELL_FREE, dwell_probe_index_of(cookie),
            address);
}

/* There is no return probe to tell that it failed, so what must fail is not sent. */
static __always_inline bool munmap_fails(__u64 address, __u64 size) {
  return address & DWELL_PAGE_MASK || !size || size > DWELL_USER_END || address > DWELL_USER_END - size;
}

static __always_inline void munmap_entered(struct pt_regs *ctx, struct thread_state *state, __u64 cookie) {
  if (munmap_fails(ctx->di, ctx->si)) return;
  struct dwell_map_record record = {.h = header_of(state, DWELL_UNMAP, dwell_probe_index_of(cookie)),
                                    .time_ns = bpf_ktime_get_ns(),
                                    .address = ctx->di,
                                    .size = whole_pages(ctx->si)};
  SEND(record, DWELL_LOST_MAP);
}

/* Of an inner call. A tail call of a function whose return instructions are probed ends where that one ends;
 * and what looks like a tail call of itself is the next call from the same place, after the first was left
 * by a jump. */
enum inner_kind { INNER_CALL, INNER_TAIL_CALL, NEXT_CALL };
static __always_inline enum inner_kind inner_kind_of(struct call *call, __u64 sp, __u64 cookie) {
  if (!call->return_address || sp != call->sp) return INNER_CALL;
  if (dwell_probe_index_of(cookie) == call->probe) return NEXT_CALL;
  return dwell_probe_flags_of(cookie) & DWELL_PROBE_RETURNS ? INNER_TAIL_CALL : INNER_CALL;
}

static __always_inline void note_asked(struct pt_regs *ctx, struct thread_state *state, __u64 sp, __u64 cookie) {
  struct asked *asked = &state->asked;
  asked->sp = sp;
  asked->size = ctx->di;
  asked->ip = ctx->ip;
  asked->span = dwell_probe_span_of(cookie);
}

/* The size that the caller was asked for, if the caller is the function that rounded it. */
static __always_inline void unround(struct thread_state *state, __u64 sp, struct call *call) {
  struct asked *asked = &state->asked;
  if (call->shape != DWELL_SHAPE_SIZE_ARG1 || !asked->sp || sp >= asked->sp) return;
  if (read_word(sp) - asked->ip < asked->span && asked->size <= call->size) call->size = asked->size;
}

/* 1: the return of this call is of no interest. */
static __always_inline int call_entered(struct pt_regs *ctx, struct thread_state *state, __u64 cookie) {
  __u64 sp = ctx->sp + dwell_probe_cfa_offset_of(cookie) - 8;
  __u64 flags = dwell_probe_flags_of(cookie);
  if (is_inner(state, sp)) {
    enum inner_kind kind = inner_kind_of(&state->call, sp, cookie);
    if (kind == INNER_CALL) return 1;
    if (kind == INNER_TAIL_CALL) {
      state->call.return_address = 0;
      return 0;
    }
  }
  if (flags & DWELL_PROBE_ASKS) {
    note_asked(ctx, state, sp, cookie);
    return 1;
  }
  if (sample_bytes && is_address_space(dwell_probe_shape_of(cookie)) && is_inside_skipped(state, sp))
    return 1;

  struct call *call = &state->call;
  call->shape = dwell_probe_shape_of(cookie);
  call->probe = dwell_probe_index_of(cookie);
  call->pointer = 0;
  call->old_size = 0;
  call->thrown = 0;
  call->return_address = flags & DWELL_PROBE_EXITS ? read_word(sp) : 0;
  read_arguments(ctx, call);
  unround(state, sp, call);
  call->sampled = is_address_space(call->shape) || is_sampled(state, call->size);

  bool old_block = (is_realloc(call->shape) || call->shape == DWELL_SHAPE_XALLOCX) && call->pointer &&
                   is_tracked(state, call->pointer);
  if (!old_block && (is_realloc(call->shape) || call->shape == DWELL_SHAPE_XALLOCX)) call->pointer = 0;
  /* One that calls another probed function is followed to its end, or the other would be judged once more. */
  if (!call->sampled && !old_block && !(flags & DWELL_PROBE_NESTS)) {
    skip_call(state, ctx, sp);
    return 1;
  }
  /* From here on another thread may be given its address. xallocx never moves the block. */
  if (old_block && call->shape != DWELL_SHAPE_XALLOCX) {
    forget_block(state, call->pointer);
    if (in_window(state))
      log_in_window(state, DWELL_WINDOW_GONE, call->probe, call->pointer, 0, 0);
    else
      send_free(state, DWELL_REALLOC_BEGIN, call->probe, call->pointer);
  }
  if (!(flags & DWELL_PROBE_EXITS)) count_refused_return();
  call->sp = sp;
  return flags & DWELL_PROBE_EXITS ? 1 : 0;
}

/* ---- return ---- */

static __always_inline void send_alloc(struct call_end *end, struct thread_state *state, struct call *call,
                                       __u64 address) {
  if (in_window(state)) {
    log_in_window(state, DWELL_WINDOW_ALLOC, call->probe, address, call->size, callers_stack(end, state));
    return;
  }
  if (!room_for(DWELL_LOST_ALLOC) || !remember_block(state, address)) return;
  struct dwell_alloc_record record = {.h = header_of(state, DWELL_ALLOC, call->probe),
                                      .address = address,
                                      .size = call->size,
                                      .stack = callers_stack(end, state)};
  record.time_ns = bpf_ktime_get_ns();
  SEND(record, DWELL_LOST_ALLOC);
}

/* The end of a realloc of a block that we know is as important as a free, and has the same priority. */
static __always_inline void send_realloc_end(struct call_end *end, struct thread_state *state,
                                             struct call *call, __u64 address) {
  if (in_window(state)) { /* one that failed leaves its old block looking gone, which is rare */
    if (address) send_alloc(end, state, call, address);
    return;
  }
  struct dwell_realloc_record record = {.h = header_of(state, DWELL_REALLOC_END, call->probe),
                                        .old_address = call->pointer};
  bool failed = !address && call->size && call->shape != DWELL_SHAPE_REALLOCF;
  if (failed) {
    record.size = call->size;
    remember_block(state, call->pointer);
  } else if (address && call->sampled && remember_block(state, address)) {
    record.address = address;
    record.size = call->size;
    record.stack = callers_stack(end, state);
  }
  record.time_ns = bpf_ktime_get_ns();
  SEND(record, DWELL_LOST_FREE);
}

/* xallocx returns the size that the block has now, whether that changed or not. */
static __always_inline void send_resized(struct call_end *end, struct thread_state *state, struct call *call,
                                         __u64 real_size) {
  if (!call->pointer || real_size < call->size) return;
  forget_block(state, call->pointer);
  if (!in_window(state)) send_free(state, DWELL_REALLOC_BEGIN, call->probe, call->pointer);
  send_realloc_end(end, state, call, call->pointer);
}

static __always_inline void send_map(struct call_end *end, struct thread_state *state, struct call *call,
                                     __u64 result) {
  struct dwell_map_record record = {.h = header_of(state, DWELL_MAP, call->probe),
                                    .address = result,
                                    .size = call->size,
                                    .old_address = call->pointer,
                                    .old_size = call->old_size,
                                    .protection = call->protection,
                                    .flags = call->flags};
  if (call->shape == DWELL_SHAPE_BRK || call->shape == DWELL_SHAPE_SBRK) {
    __u64 before = call->pointer, after = program_break();
    if (after == before) return;
    record.old_address = 0;
    record.address = after > before ? before : after;
    record.size = after > before ? after - before : before - after;
    if (after < before) record.h.type = DWELL_UNMAP;
    record.protection = DWELL_READ_WRITE;
    record.flags = DWELL_PRIVATE_ANONYMOUS;
  } else if (result == ~0ull) {
    return;
  }
  if (record.h.type == DWELL_MAP) record.stack = callers_stack(end, state);
  record.time_ns = bpf_ktime_get_ns();
  SEND(record, DWELL_LOST_MAP);
}

static __always_inline void call_ended(struct call_end *end, struct thread_state *state) {
  struct call *call = &state->call;
  call->sp = 0;

  __u64 result = end->result;
  if (is_address_space(call->shape)) {
    send_map(end, state, call, result);
  } else if (call->shape == DWELL_SHAPE_XALLOCX) {
    send_resized(end, state, call, result);
  } else if (is_realloc(call->shape) && call->pointer) {
    send_realloc_end(end, state, call, result);
  } else if (!call->sampled) {
    return;
  } else if (call->shape == DWELL_SHAPE_MEMALIGN_OUT) {
    __u64 block = 0;
    if ((int)result) return;
    if (bpf_probe_read_user(&block, sizeof(block), (void *)call->pointer))
      dwell_count_loss(DWELL_LOST_RESULT);
    else if (block)
      send_alloc(end, state, call, block);
  } else if (result) {
    send_alloc(end, state, call, result);
  }
}

/* ---- programs ---- */

/* The state of the current thread. Null if its process is no target. */
static __always_inline struct thread_state *identify(void) {
  struct dwell_target *joined = NULL;
  struct thread_state *state = thread_state_in(&threads, &joined);
  if (state && joined) {
    state->slot = joined->slot;
    state->tid = dwell_current_tid();
    state->wake = BPF_RB_NO_WAKEUP;
  }
  return state;
}

static __always_inline void note_hit(struct thread_state *state) {
  if (budgeted) state->hit_ns = bpf_ktime_get_ns();
}

static __always_inline int entered(struct pt_regs *ctx) {
  struct thread_state *state = identify();
  if (!state) return 1;
  note_hit(state);
  __u64 cookie = bpf_get_attach_cookie(ctx);
  /* Userspace gives no probe an index beyond the table; were there one, only its price would not be known. */
  struct dwell_hits *counted = hits_of(cookie);
  state->wake = look_at_ring(counted ? counted->entries++ : 0);
  if (!within_budget(state)) return 1;
  switch (dwell_probe_shape_of(cookie)) {
    case DWELL_SHAPE_FREE_ARG0:
      free_entered(ctx, state, cookie);
      return 1;
    case DWELL_SHAPE_MUNMAP:
      munmap_entered(ctx, state, cookie);
      return 1;
    case DWELL_SHAPE_THROW:
      throw_entered(ctx, state);
      return 1;
  }
  if (call_entered(ctx, state, cookie)) return 1;
  if (counted) counted->returns++; /* of a session: it will come back */
  if (budgeted) {
    state->call.began_ns = state->hit_ns;
    state->call.entered_ns = bpf_ktime_get_ns();
  }
  return 0;
}

static __always_inline int returned(struct pt_regs *ctx) {
  struct thread_state *state = identify();
  /* The return address has been popped: it lay 8 below. Another one is an inner call's return probe. */
  if (!state) return 0;
  note_hit(state);
  if (state->call.sp + 8 != ctx->sp) return 0;
  struct call_end end = end_at_return(ctx);
  call_ended(&end, state);
  return 0;
}

/* At a return instruction, with the return address still on the stack, or at a branch that leads to one. Code
 * that several functions share is reached by calls of others too, and by calls that are not followed. */
static __always_inline int exited(struct pt_regs *ctx) {
  struct thread_state *state = identify();
  if (!state) return 0;
  note_hit(state);
  __u64 cookie = bpf_get_attach_cookie(ctx);
  bool at_branch = dwell_probe_flags_of(cookie) & DWELL_EXIT_AT_BRANCH;
  struct dwell_hits *counted = hits_of(cookie);
  if (counted && at_branch) counted->entries++; /* of the same price */
  if (counted && !at_branch) counted->returns++;
  if (budgeted) __sync_fetch_and_add(&levels[state->slot].hits, 1);
  __u64 sp = ctx->sp + dwell_probe_cfa_offset_of(cookie) - 8;
  __u64 return_address = state->call.return_address;
  if (!return_address || state->call.sp != sp || !returns_from(ctx, cookie) || read_word(sp) != return_address)
    return 0;
  struct call_end end = end_at_exit(ctx, cookie, sp, return_address);
  call_ended(&end, state);
  return 0;
}

#include "bpf/call_programs.h"
