// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Resources that are taken and given back by functions that the user named (--pair).
 *
 * Calls of a thread that take something are remembered from their entry to their end, the innermost last: takings nest, and those of
 * several pairs do too. Where one function of a pair calls another for the same resource, that is one taking:
 *
 *     calls of thread 42                   sp        sent
 *     pool_get(8)                          0x7f..60  no: pool_get_from has told of what it returns
 *       pool_get_from(&main, 8)            0x7f..40  yes, at its return
 *         buffer_get()                     0x7f..20  yes: another pair
 *
 * A call of a Go function may end on another thread, with its stack at another address: of those nothing is remembered. What they
 * take is told of where it is known, at their entry or at their return instructions, and who they are is the goroutine.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/call_end.h"
#include "bpf/go_probes.h"
#include "bpf/pairs.h"
#include "bpf/probe_hits.h"
#include "bpf/targets.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MOST_CALLS 8               /* of takings inside one another; a power of two */
#define SAME_STACK (1ull << 20)    /* so near to sp, it is the same stack */

struct taking {
  __u64 sp;             /* where the return address lies, at the function's entry */
  __u64 return_address; /* of a call whose exits are probed; 0: it has a return probe */
  __u64 argument;       /* that is the resource, or says where it is stored */
  __u64 size;
  __u64 inner; /* what a call inside this one, of the same pair, has taken last; 0: nothing */
  __u16 span;  /* of its cookie */
  __u16 probe;
};

/* A giving back that may still be under way. */
struct giving {
  __u64 sp; /* as above; 0: none */
  __u64 return_address;
  __u64 value;
  __u16 probe;
};

struct thread_state {
  struct taking calls[MOST_CALLS];
  struct giving given;
  struct dwell_alloc_record record; /* that is sent next: the stack has no room left for it, nor for */
  struct call_end end;              /* how the calls end that are looked at now */
  __s32 depth; /* how many of them are under way */
  __u64 wake;  /* how the record of this hit is sent */
  __u32 tid;
  __u8 slot;
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct thread_state);
} threads SEC(".maps");

static __always_inline struct thread_state *identify(void) {
  struct dwell_target *joined = NULL;
  struct thread_state *state = thread_state_in(&threads, &joined);
  if (state && joined) {
    state->tid = dwell_current_tid();
    state->slot = joined->slot;
  }
  return state;
}

/* An argument by its number, from 1; 0: 0. By way of the stack, as register_of(). */
static __always_inline __u64 argument_of(struct pt_regs *ctx, unsigned number) {
  volatile __u64 arguments[8] = {0, ctx->di, ctx->si, ctx->dx, ctx->cx, ctx->r8, ctx->r9, 0};
  return arguments[number & 7];
}

/* False: it stands for no resource. Of numbers the upper half of a register says nothing, and 0 is one: they are sent increased by 1. */
static __always_inline bool take_value(unsigned span, __u64 *value) {
  if (dwell_pair_is_number(span)) {
    if ((__s32)*value < 0) return false;
    *value = (__u32)*value + 1ull;
  }
  return *value && *value != ~0ull;
}

static __always_inline void send_taken_by(__u32 who, struct thread_state *state, struct taking *call, struct call_end *end, __u64 value) {
  if (!room_for(DWELL_LOST_TAKE)) return;
  struct dwell_alloc_record *record = &state->record;
  record->h.type = DWELL_PAIR_TAKEN;
  record->h.process = state->slot;
  record->h.probe = call->probe;
  record->h.tid = who;
  record->address = value;
  record->size = call->size;
  record->stack = stack_from(end->pc, end->sp, end->bp, (__u64)state->slot << 32 | state->tid, end->hidden);
  record->time_ns = bpf_ktime_get_ns();
  if (bpf_ringbuf_output(&events, record, sizeof(*record), state->wake)) dwell_count_loss(DWELL_LOST_TAKE);
}

static __always_inline void send_taken(struct thread_state *state, struct taking *call, struct call_end *end, __u64 value) {
  send_taken_by(state->tid, state, call, end, value);
}

static __always_inline void send_given(__u32 who, struct thread_state *state, __u16 probe, __u64 value) {
  struct dwell_free_record record = {
      .h = {.type = DWELL_PAIR_GIVEN, .process = state->slot, .probe = probe, .tid = who},
      .time_ns = bpf_ktime_get_ns(),
      .address = value};
  if (bpf_ringbuf_output(&events, &record, sizeof(record), state->wake)) dwell_count_loss(DWELL_LOST_GIVE);
}

/* The innermost call of the pair that is under way knows that this was taken inside it. `depth`: of the calls that are asked. */
static __always_inline void tell_outer(struct thread_state *state, int depth, unsigned pair, __u64 value) {
  bool told = false;
  for (int i = MOST_CALLS - 1; i >= 0; i--) {
    struct taking *call = &state->calls[i];
    if (told || i >= depth || dwell_pair_of(call->span) != pair) continue;
    call->inner = value;
    told = true;
  }
}

/* ---- entry ---- */

/* Those that a jump or an exception has left lie below. */
static __always_inline void forget_dead(struct thread_state *state, __u64 sp, __u16 probe) {
  for (int i = MOST_CALLS - 1; i >= 0; i--) {
    struct taking *call = &state->calls[i];
    if (state->depth != i + 1) continue;
    bool below = call->sp < sp && sp - call->sp < SAME_STACK;
    bool again = call->sp == sp && call->probe == probe;
    if (below || again) state->depth = i;
  }
}

/* 1: the return of this call is of no interest. */
static __always_inline int take_entered(struct pt_regs *ctx, struct thread_state *state, __u64 cookie, __u64 sp) {
  __u16 probe = dwell_probe_index_of(cookie);
  forget_dead(state, sp, probe);
  int depth = state->depth;
  if (depth >= MOST_CALLS) {
    dwell_count_loss(DWELL_LOST_NESTING);
    return 1;
  }
  unsigned span = dwell_probe_span_of(cookie);
  bool by_exits = dwell_probe_flags_of(cookie) & DWELL_PROBE_EXITS;
  struct taking *call = &state->calls[depth & (MOST_CALLS - 1)];
  call->sp = sp;
  call->return_address = by_exits ? read_word(sp) : 0;
  call->argument = argument_of(ctx, dwell_pair_argument(span));
  call->size = argument_of(ctx, dwell_pair_size_argument(span));
  call->inner = 0;
  call->span = span;
  call->probe = probe;
  state->depth = depth + 1;
  if (!by_exits) count_refused_return();
  return by_exits;
}

static __always_inline void argument_taken(struct pt_regs *ctx, struct thread_state *state, __u64 cookie, __u64 sp) {
  unsigned span = dwell_probe_span_of(cookie);
  __u64 value = argument_of(ctx, dwell_pair_argument(span));
  if (!take_value(span, &value)) return;
  struct taking call = {.size = argument_of(ctx, dwell_pair_size_argument(span)), .span = span, .probe = dwell_probe_index_of(cookie)};
  /* The first frame is the function's own, and left out. */
  struct call_end caller = {.pc = ctx->ip, .sp = sp + 8, .bp = ctx->bp, .hidden = 1};
  forget_dead(state, sp, 0);
  tell_outer(state, state->depth, dwell_pair_of(span), value);
  send_taken(state, &call, &caller, value);
}

/* Whether another function of the pair, that gives back the same, has called this one, or jumped to it. */
static __always_inline bool is_inner_giving(struct thread_state *state, __u64 sp, struct giving *now) {
  struct giving *outer = &state->given;
  return outer->sp && sp <= outer->sp && outer->value == now->value && outer->probe != now->probe &&
         read_word(outer->sp) == outer->return_address;
}

static __always_inline void given(struct pt_regs *ctx, struct thread_state *state, __u64 cookie, __u64 sp) {
  unsigned span = dwell_probe_span_of(cookie);
  struct giving now = {.sp = sp, .value = argument_of(ctx, dwell_pair_argument(span)), .probe = dwell_probe_index_of(cookie)};
  if (!take_value(span, &now.value)) return;
  if (dwell_probe_flags_of(cookie) & DWELL_PAIR_SEVERAL) {
    if (is_inner_giving(state, sp, &now)) return;
    now.return_address = read_word(sp);
    state->given = now;
  }
  send_given(state->tid, state, now.probe, now.value);
}

/* ---- Go ---- */

/* An argument or a result by the number of its word, from 1; 0: 0. By way of the stack, as register_of(). */
static __noinline __u64 go_word(struct pt_regs *ctx, unsigned number) {
  volatile __u64 words[8] = {0, ctx->ax, ctx->bx, ctx->cx, ctx->di, ctx->si, ctx->r8, 0};
  return words[number & 7];
}

/* At the entry or at a return instruction: at both, the return address is at sp, rbp is the caller's and r14 the goroutine. */
static __always_inline void go_probed(struct pt_regs *ctx, struct thread_state *state, __u64 cookie, bool at_entry) {
  unsigned span = dwell_probe_span_of(cookie);
  struct taking call = {.span = span, .probe = dwell_probe_index_of(cookie)};
  __u32 goroutine = ctx->r14 >> 3;
  __u64 value = go_word(ctx, dwell_pair_argument(span));
  if (!take_value(span, &value)) return;
  if (at_entry && dwell_probe_shape_of(cookie) == DWELL_SHAPE_GIVE) return send_given(goroutine, state, call.probe, value);
  if (at_entry) call.size = go_word(ctx, dwell_pair_size_argument(span));
  state->end = (struct call_end){.pc = ctx->ip, .sp = ctx->sp + 8, .bp = ctx->bp, .hidden = 1};
  send_taken_by(goroutine, state, &call, &state->end, value);
}

/* ---- the end of a call ---- */

static __always_inline bool result_of(struct taking *call, struct call_end *end, __u64 *value) {
  *value = end->result;
  if (dwell_pair_argument(call->span)) {
    if (((__s32)end->result && !dwell_pair_is_always(call->span)) || !call->argument) return false;
    *value = call->argument;
  }
  if (dwell_pair_is_stored(call->span)) {
    if (bpf_probe_read_user(value, sizeof(*value), (void *)call->argument)) {
      dwell_count_loss(DWELL_LOST_RESULT);
      return false;
    }
  }
  return take_value(call->span, value);
}

static __always_inline void take_ended(struct thread_state *state, int index, struct call_end *end) {
  struct taking *call = &state->calls[index & (MOST_CALLS - 1)];
  __u64 value = 0;
  if (!result_of(call, end, &value)) return;
  tell_outer(state, index, dwell_pair_of(call->span), value);
  if (call->inner != value) send_taken(state, call, end, value);
}

/* ---- programs ---- */

static __always_inline int entered(struct pt_regs *ctx) {
  struct thread_state *state = identify();
  if (!state) return 1;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  struct dwell_hits *counted = hits_of(cookie);
  state->wake = look_at_ring(counted ? counted->entries++ : 0);
  if (dwell_probe_flags_of(cookie) & DWELL_PROBE_GO) {
    if (dwell_go_entered(ctx, cookie)) go_probed(ctx, state, cookie, true);
    return 1;
  }
  __u64 sp = ctx->sp + dwell_probe_cfa_offset_of(cookie) - 8;
  switch (dwell_probe_shape_of(cookie)) {
    case DWELL_SHAPE_GIVE:
      given(ctx, state, cookie, sp);
      return 1;
    case DWELL_SHAPE_TAKE_ARGUMENT:
      argument_taken(ctx, state, cookie, sp);
      return 1;
  }
  int without_return = take_entered(ctx, state, cookie, sp);
  if (counted && !without_return) counted->returns++; /* of a session: it will come back */
  return without_return;
}

/* The topmost call that returns here, by a return probe. Of a function that jumps to another one both return at the same place,
 * one after the other. */
static __always_inline int returned(struct pt_regs *ctx) {
  struct thread_state *state = identify();
  if (!state) return 0;
  __u16 probe = dwell_probe_index_of(bpf_get_attach_cookie(ctx));
  int found = -1;
  for (int i = MOST_CALLS - 1; i >= 0; i--) {
    struct taking *call = &state->calls[i];
    if (found < 0 && i < state->depth && call->sp + 8 == ctx->sp && !call->return_address && call->probe == probe) found = i;
  }
  if (found < 0) return 0;
  state->depth = found;
  struct call_end end = end_at_return(ctx);
  take_ended(state, found, &end);
  return 0;
}

/* Code that several functions share is reached by calls of others too. */
static __always_inline int exited(struct pt_regs *ctx) {
  struct thread_state *state = identify();
  if (!state) return 0;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  struct dwell_hits *counted = hits_of(cookie);
  if (dwell_probe_flags_of(cookie) & DWELL_PROBE_GO) {
    state->wake = look_at_ring(counted ? counted->returns++ : 0);
    go_probed(ctx, state, cookie, false);
    return 0;
  }
  if (counted && dwell_probe_flags_of(cookie) & DWELL_EXIT_AT_BRANCH)
    counted->entries++; /* of the same price */
  else if (counted)
    counted->returns++;
  if (!state->depth || !returns_from(ctx, cookie)) return 0;
  __u64 sp = ctx->sp + dwell_probe_cfa_offset_of(cookie) - 8, return_address = read_word(sp);
  state->end = end_at_exit(ctx, cookie, sp, return_address);
#pragma clang loop unroll(disable) /* or the stack has no room for it on Linux 6.1 */
  for (int i = MOST_CALLS - 1; i >= 0; i--) {
    struct taking *call = &state->calls[i];
    if (i >= state->depth || call->sp + 8 != state->end.sp || !call->return_address || call->return_address != state->end.pc) continue;
    state->depth = i;
    take_ended(state, i, &state->end);
  }
  return 0;
}

#include "bpf/call_programs.h"
