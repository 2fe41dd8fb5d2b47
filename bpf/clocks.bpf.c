// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The clock tracer: counts who reads which clock and who waits by which, and tells who sets one.
 *
 * Reads are counted only while a window is open. Outside of it the probes are not attached at all, because an
 * armed probe costs its trap whatever is done in it.
 */
#include "bpf/clocks.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/clock_waits.h"
#include "bpf/probe_hits.h"
#include "bpf/probe_shapes.h"
#include "bpf/targets.h"
#include "bpf/thread_stack.h"
#include "bpf/unwind.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Which system calls matter, as dwell_clock_call by number. */
const volatile __u8 calls[DWELL_MAX_SYSCALLS] = {};
/* What one read costs under the probe: a thread that spends a part of its time on that is counted by itself.
 */
const volatile __u64 trap_ns = 600;

/* Userspace writes these while we run. */
__u64 window = 0; /* number of the open window, 0: none */
__u64 window_start_ns = 0;
__u64 steps = 0; /* how often the wall clock was set so far */
__s64 last_step_ns = 0;
__s64 realtime_offset_ns = 0; /* CLOCK_REALTIME - CLOCK_MONOTONIC */

#define DWELL_COUNTING_MAP(name, key_, value_, entries) \
  struct {                                              \
    __uint(type, BPF_MAP_TYPE_HASH);                    \
    __uint(max_entries, entries);                       \
    __uint(map_flags, BPF_F_NO_PREALLOC);               \
    __type(key, key_);                                  \
    __type(value, value_);                              \
  } name SEC(".maps")

DWELL_COUNTING_MAP(reads, struct dwell_read_key, __u64, 65536);
DWELL_COUNTING_MAP(pairs, struct dwell_pair_key, struct dwell_pair_stats, 16384);
DWELL_COUNTING_MAP(waits, struct dwell_wait_key, struct dwell_wait_stats, 16384);
DWELL_COUNTING_MAP(open_waits, __u32, struct dwell_open_wait, 65536);
DWELL_COUNTING_MAP(timer_clocks, struct dwell_timer_key, __u32, 16384);
DWELL_COUNTING_MAP(open_sets, __u32, struct dwell_clock_set_record, 1024); /* the kernel's own tid: anybody's */

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DWELL_UNWIND_SPACES);
  __type(key, __u32);
  __type(value, struct dwell_sample_totals);
} sample_totals SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DWELL_UNWIND_SPACES);
  __type(key, __u32);
  __type(value, struct dwell_vdso_range);
} vdso_ranges SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DWELL_CLOCK_LOST_KINDS);
  __type(key, __u32);
  __type(value, __u64);
} clock_losses SEC(".maps");

/* A thread's reads of the wall clock whose calling frames may still be there, outermost first. */
#define DWELL_OPEN_READS 8
struct open_read {
  __u64 sp, stack, time_ns, steps;
};
struct reading_thread {
  __u64 window;
  __u64 reads; /* in this window */
  /* The last read by function: a system call made below its stack pointer, by its own code or by the vDSO
   * that it went to, is that read's own. */
  __u64 inner_sp, inner_ip, inner_end;
  __u32 depth;
  __u32 unused;
  struct open_read open[DWELL_OPEN_READS];
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct reading_thread);
} reading_threads SEC(".maps");

static __always_inline void count_clock_loss(__u32 kind) {
  __u64 *count = bpf_map_lookup_elem(&clock_losses, &kind);
  if (count) __sync_fetch_and_add(count, 1);
  dwell_count_loss(DWELL_LOST_CLOCK_READ + kind);
}

/* Global, so that the verifier walks through the unwinder once and not once for each caller. */
__noinline __u64 stack_from(__u64 pc, __u64 sp, __u64 bp, __u64 how) {
  struct dwell_stack_start start = {.pc = pc, .sp = sp, .bp = bp, .flags = (__u32)how & 0xff};
  start.cfa_offset = (__s16)(how >> 16 & 0xffff);
  return dwell_stack(NULL, start, (__u8)(how >> 8), dwell_current_tid());
}
#define DWELL_HOW(flags, slot, cfa_offset) ((__u64)(flags) | (__u64)(slot) << 8 | (__u64)(cfa_offset) << 16)

/* The zeroed value of a key, made if it is not there. */
#define DWELL_ENTRY(map, key, zero)                        \
  ({                                                       \
    void *found_ = bpf_map_lookup_elem(&(map), key);       \
    if (!found_) {                                         \
      bpf_map_update_elem(&(map), key, zero, BPF_NOEXIST); \
      found_ = bpf_map_lookup_elem(&(map), key);           \
    }                                                      \
    found_;                                                \
  })

static __always_inline __u8 clock_id(__u64 argument) {
  __s32 id = (__s32)argument;
  return id >= 0 && id < 32 ? id : DWELL_CLOCK_DYNAMIC;
}

static __always_inline bool is_wall(__u8 clock) { return clock == 0 || clock == 5; /* and its coarse form */ }

/* ---- reads ---- */

/* A pair of reads belongs together if the same frame made both: their stack pointers are the same, and
 * nothing above it was left in between, for then a read further up would have removed the first. */
static __always_inline void pair_reads(struct reading_thread *thread, __u64 sp, __u64 stack, __u64 now,
                                       __u8 slot) {
  __u32 depth = thread->depth;
  for (int i = 0; i < DWELL_OPEN_READS; i++) {
    if (depth == 0 || depth > DWELL_OPEN_READS) break;
    if (thread->open[(depth - 1) & (DWELL_OPEN_READS - 1)].sp >= sp) break;
    depth--;
  }
  if (depth > DWELL_OPEN_READS) depth = 0;
  struct open_read *top = depth ? &thread->open[(depth - 1) & (DWELL_OPEN_READS - 1)] : NULL;
  struct open_read *mine = top;
  if (top && top->sp == sp) {
    struct dwell_pair_key key = {.first = top->stack, .second = stack, .process = slot};
    static const struct dwell_pair_stats zero;
    struct dwell_pair_stats *stats = DWELL_ENTRY(pairs, &key, &zero);
    if (stats) {
      __u64 length = now - top->time_ns;
      __sync_fetch_and_add(&stats->count, 1);
      __sync_fetch_and_add(&stats->total_ns, length);
      if (length > stats->max_ns) stats->max_ns = length;
      __u64 *bucket = &stats->lengths[dwell_time_bucket(length)];
      __sync_fetch_and_add(bucket, 1);
      if (top->steps != steps) {
        __sync_fetch_and_add(&stats->spanned_step, 1);
        stats->spanned_by_ns = last_step_ns;
      }
    } else {
      count_clock_loss(DWELL_CLOCK_LOST_PAIRS);
    }
  } else if (depth < DWELL_OPEN_READS) {
    mine = &thread->open[depth & (DWELL_OPEN_READS - 1)];
    depth++;
  } else {
    count_clock_loss(DWELL_CLOCK_LOST_PAIRS); /* the innermost of them gives way */
  }
  if (mine) {
    mine->sp = sp;
    mine->stack = stack;
    mine->time_ns = now;
    mine->steps = steps;
  }
  thread->depth = depth;
}

static __always_inline struct reading_thread *reading(void) {
  struct reading_thread *thread = bpf_task_storage_get(&reading_threads, bpf_get_current_task_btf(), NULL,
                                                       BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!thread) {
    count_clock_loss(DWELL_CLOCK_LOST_THREADS);
    return NULL;
  }
  if (thread->window != window) {
    thread->window = window;
    thread->reads = 0;
    thread->depth = 0;
  }
  return thread;
}

static __always_inline void count_read(struct reading_thread *thread, __u64 stack, __u64 now, __u8 slot,
                                       __u8 clock, __u8 call) {
  struct dwell_read_key key = {.stack = stack, .process = slot, .clock = clock, .call = call};
  thread->reads++;
  if (thread->reads > 32 && thread->reads * trap_ns > (now - window_start_ns) >> 4)
    key.hot_tid = dwell_current_tid();
  static const __u64 zero;
  __u64 *count = DWELL_ENTRY(reads, &key, &zero);
  if (count)
    __sync_fetch_and_add(count, 1);
  else
    count_clock_loss(DWELL_CLOCK_LOST_READS);
}

SEC("uprobe")
int on_read(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  struct dwell_target *target = find_target();
  if (!target) return 0;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  struct dwell_hits *hit = hits_of(cookie);
  if (hit) hit->entries++;
  if (!window) return 0;
  struct reading_thread *thread = reading();
  if (!thread) return 0;

  __u8 call = dwell_probe_flags_of(cookie), clock = 0;
  __u32 cfa_offset = dwell_probe_cfa_offset_of(cookie);
  __u64 argument = ctx->di, moved = ctx->si;
  barrier_var(argument); /* the context is read at fixed places only */
  if (dwell_probe_shape_of(cookie) == DWELL_SHAPE_SIZE_ARG1) argument = moved;
  if (call == DWELL_CALL_CLOCK_GETTIME) clock = clock_id(argument);
  __u64 sp = ctx->sp + cfa_offset;
  thread->inner_sp = sp;
  thread->inner_ip = ctx->ip;
  thread->inner_end = ctx->ip + (cookie >> DWELL_CODE_BEHIND_SHIFT);
  __u64 stack = stack_from(ctx->ip, ctx->sp, ctx->bp,
                           DWELL_HOW(DWELL_PC_EXACT | DWELL_PC_HIDDEN, target->slot, cfa_offset));
  __u64 now = bpf_ktime_get_ns();
  count_read(thread, stack, now, target->slot, clock, call);
  if (is_wall(clock)) pair_reads(thread, sp, stack, now, target->slot);
  return 0;
}

/* Who is in the vDSO when the CPU's clock ticks: the way to see reads that no probe can. */
SEC("perf_event")
int on_tick(struct pt_regs *ctx) {
  struct dwell_target *target = find_target();
  if (!target) return 0;
  __u32 slot = target->slot;
  struct dwell_sample_totals *totals = bpf_map_lookup_elem(&sample_totals, &slot);
  struct dwell_vdso_range *vdso = bpf_map_lookup_elem(&vdso_ranges, &slot);
  /* Under the probes a thread is not what it is else. */
  if (!totals || !vdso || window) return 0;
  totals->all++;
  if ((__s64)ctx->ip < 0) {
    totals->in_kernel++;
    return 0;
  }
  if (ctx->ip - vdso->start >= vdso->end - vdso->start) return 0;
  totals->in_vdso++;
  struct dwell_read_key key = {
      .process = target->slot, .clock = DWELL_CLOCK_UNKNOWN, .call = DWELL_CALL_VDSO};
  key.stack = stack_from(ctx->ip, ctx->sp, ctx->bp, DWELL_HOW(DWELL_PC_EXACT, target->slot, 0));
  static const __u64 zero;
  __u64 *count = DWELL_ENTRY(reads, &key, &zero);
  if (count)
    __sync_fetch_and_add(count, 1);
  else
    count_clock_loss(DWELL_CLOCK_LOST_READS);
  return 0;
}

/* A function that was probed, or the vDSO it went to, could not tell the time by itself. */
static __always_inline bool is_inner_call(struct reading_thread *thread, struct pt_regs *regs, __u8 slot) {
  if (thread->inner_sp <= regs->sp || thread->inner_sp - regs->sp > 512) return false;
  if (regs->ip >= thread->inner_ip && regs->ip <= thread->inner_end) return true;
  __u32 key = slot;
  struct dwell_vdso_range *vdso = bpf_map_lookup_elem(&vdso_ranges, &key);
  return vdso && regs->ip >= vdso->start && regs->ip < vdso->end;
}

static __always_inline void read_by_syscall(struct dwell_target *target, struct pt_regs *regs, __u8 call) {
  if (!window) return;
  struct reading_thread *thread = reading();
  if (!thread) return;
  bool inner = is_inner_call(thread, regs, target->slot);
  thread->inner_sp = 0;
  if (inner) return;
  __u8 clock = call == DWELL_CALL_SYS_CLOCK_GETTIME ? clock_id(regs->di) : 0;
  __u64 stack = stack_from(regs->ip, regs->sp, regs->bp, DWELL_HOW(DWELL_PC_EXACT, target->slot, 0));
  __u64 now = bpf_ktime_get_ns();
  count_read(thread, stack, now, target->slot, clock, call);
  if (is_wall(clock)) pair_reads(thread, regs->sp, stack, now, target->slot);
}

/* ---- waits ---- */

static __always_inline __u8 timer_clock(__u32 call, __u64 id) {
  struct dwell_timer_key key = {.tgid = dwell_current_tgid(), .call = call, .id = id};
  __u32 *clock = bpf_map_lookup_elem(&timer_clocks, &key);
  return clock ? (__u8)*clock : DWELL_CLOCK_UNKNOWN;
}

static __always_inline __u64 now_by(__u8 clock) {
  if (clock == 0 || clock == 8) return bpf_ktime_get_ns() + realtime_offset_ns;
  if (clock == 7 || clock == 9) return bpf_ktime_get_boot_ns();
  return bpf_ktime_get_ns();
}

static __always_inline void begin_wait(struct dwell_target *target, struct pt_regs *regs, __u8 call) {
  struct dwell_timed_call timed = {.call = call, .clock = 1};
  dwell_parse_timed_call(&timed, regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9);
  if (!timed.ends && !timed.unreadable) return;
  struct dwell_open_wait wait = {.steps = steps, .out = timed.out, .unreadable = timed.unreadable};
  wait.tgid = dwell_current_tgid();
  if (call == DWELL_CALL_TIMERFD_SETTIME) timed.clock = timer_clock(DWELL_CALL_TIMERFD_CREATE, regs->di);
  if (call == DWELL_CALL_TIMER_SETTIME) timed.clock = timer_clock(DWELL_CALL_TIMER_CREATE, regs->di);
  wait.key.process = target->slot;
  wait.key.clock = timed.clock;
  wait.key.call = call;
  wait.key.absolute = timed.absolute;
  wait.asked_ns = timed.time_ns;
  if (timed.absolute) {
    __u64 now = now_by(timed.clock);
    wait.asked_ns = timed.time_ns > now ? timed.time_ns - now : 0;
  }
  if (call != DWELL_CALL_TIMERFD_CREATE && call != DWELL_CALL_TIMER_CREATE)
    wait.key.stack = stack_from(regs->ip, regs->sp, regs->bp, DWELL_HOW(DWELL_PC_EXACT, target->slot, 0));
  wait.start_ns = bpf_ktime_get_ns();
  __u32 tid = dwell_current_tid();
  if (bpf_map_update_elem(&open_waits, &tid, &wait, BPF_ANY)) count_clock_loss(DWELL_CLOCK_LOST_WAITS);
}

static __always_inline void go_on_waiting(void) {
  __u32 tid = dwell_current_tid();
  struct dwell_open_wait *wait = bpf_map_lookup_elem(&open_waits, &tid);
  if (wait) wait->stopped = 0;
}

static __always_inline void learn_timer(struct dwell_open_wait *wait, __s64 result) {
  struct dwell_timer_key key = {.tgid = wait->tgid, .call = wait->key.call, .id = result};
  __s32 id = 0;
  __u32 clock = wait->key.clock;
  if (wait->key.call == DWELL_CALL_TIMER_CREATE) {
    if (bpf_probe_read_user(&id, sizeof(id), (void *)wait->out)) {
      count_clock_loss(DWELL_CLOCK_LOST_TIMERS);
      return;
    }
    key.id = id;
  }
  if (bpf_map_update_elem(&timer_clocks, &key, &clock, BPF_ANY)) count_clock_loss(DWELL_CLOCK_LOST_TIMERS);
}

#define DWELL_EFAULT (-14)
static __always_inline void end_wait(struct dwell_open_wait *wait, __s64 result, __u32 tid) {
  __u8 call = wait->key.call;
  if (wait->unreadable) {
    if (result != DWELL_EFAULT) count_clock_loss(DWELL_CLOCK_LOST_ARGUMENTS); /* the kernel could read it */
    return;
  }
  if (call == DWELL_CALL_TIMERFD_CREATE || call == DWELL_CALL_TIMER_CREATE) {
    if (result >= 0) learn_timer(wait, result);
    return;
  }
  static const struct dwell_wait_stats zero;
  struct dwell_wait_key key = wait->key;
  struct dwell_wait_stats *stats = DWELL_ENTRY(waits, &key, &zero);
  if (!stats) {
    count_clock_loss(DWELL_CLOCK_LOST_WAITS);
    return;
  }
  __sync_fetch_and_add(&stats->count, 1);
  __sync_fetch_and_add(&stats->asked_ns, wait->asked_ns);
  if (call >= DWELL_CALL_TIMERFD_SETTIME) return; /* armed: nobody waited here */
  __u64 got = bpf_ktime_get_ns() - wait->start_ns;
  __sync_fetch_and_add(&stats->got_ns, got);
  if (wait->steps != (__u32)steps) __sync_fetch_and_add(&stats->spanned_step, 1);
  if (!dwell_timed_out(call, result)) return;
  __sync_fetch_and_add(&stats->timed_out, 1);
  __u64 over = got > wait->asked_ns ? got - wait->asked_ns : 0;
  __sync_fetch_and_add(&stats->over_ns, over);
  __u64 *bucket = &stats->over[dwell_time_bucket(over)];
  __sync_fetch_and_add(bucket, 1);
  if (over > stats->max_over_ns) {
    stats->max_over_ns = over;
    stats->max_over_asked_ns = wait->asked_ns;
    stats->max_over_tid = tid;
  }
}

/* ---- calls that set a clock, whoever makes them ---- */

#define DWELL_ADJ_TAI 0x80
static __always_inline __s64 wall_offset(void) {
  /* TAI differs from the wall clock by whole seconds that only adjtimex changes. */
  if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_tai_ns))
    return bpf_ktime_get_tai_ns() - bpf_ktime_get_ns();
  return 0;
}

static __always_inline void begin_set(void *ctx, struct pt_regs *regs, __u8 call) {
  __u64 timex = call == DWELL_CALL_ADJTIMEX ? regs->di : call == DWELL_CALL_CLOCK_ADJTIME ? regs->si : 0;
  __u32 modes = 0;
  if (timex && bpf_probe_read_user(&modes, 4, (void *)timex)) {
    count_clock_loss(DWELL_CLOCK_LOST_ARGUMENTS);
    return;
  }
  if (timex && !modes) return;                              /* it only asks */
  if (call == DWELL_CALL_SETTIMEOFDAY && !regs->di) return; /* the time zone only */

  /* Filled where it waits for the call's end: it would take half of the program's stack. */
  static const struct dwell_clock_set_record fresh;
  __u32 tid = (__u32)bpf_get_current_pid_tgid();
  struct dwell_clock_set_record *record = NULL;
  if (!bpf_map_update_elem(&open_sets, &tid, &fresh, BPF_ANY)) record = bpf_map_lookup_elem(&open_sets, &tid);
  if (!record) {
    count_clock_loss(DWELL_CLOCK_LOST_SETS);
    return;
  }
  record->call = call;
  record->modes = modes;
  if (timex) {
    long unread = bpf_probe_read_user(&record->offset, 8, (void *)(timex + 8));
    unread |= bpf_probe_read_user(&record->frequency, 8, (void *)(timex + 16));
    unread |= bpf_probe_read_user(&record->status, 4, (void *)(timex + 40));
    if (unread) {
      count_clock_loss(DWELL_CLOCK_LOST_ARGUMENTS);
      bpf_map_delete_elem(&open_sets, &tid);
      return;
    }
  }
  if (call == DWELL_CALL_CLOCK_SETTIME || call == DWELL_CALL_CLOCK_ADJTIME) record->clock = (__s32)regs->di;
  record->h.type = DWELL_CLOCK_SET;
  record->h.process = DWELL_NO_SLOT;
  record->h.tid = dwell_current_tid();
  record->tgid = dwell_current_tgid();
  record->uid = (__u32)bpf_get_current_uid_gid();
  bpf_get_current_comm(record->comm, sizeof(record->comm));
  struct dwell_target *target = find_target();
  if (target) {
    record->h.process = target->slot;
    record->stack = stack_from(regs->ip, regs->sp, regs->bp, DWELL_HOW(DWELL_PC_EXACT, target->slot, 0));
  }
  bpf_get_stack(ctx, record->pcs, sizeof(record->pcs), BPF_F_USER_STACK);
  record->step_ns = wall_offset();
}

static __always_inline void end_set(__s64 result) {
  __u32 tid = (__u32)bpf_get_current_pid_tgid();
  struct dwell_clock_set_record *record = bpf_map_lookup_elem(&open_sets, &tid);
  if (!record) return;
  record->step_ns = record->modes & DWELL_ADJ_TAI ? 0 : wall_offset() - record->step_ns;
  record->result = result;
  record->time_ns = bpf_ktime_get_ns();
  record->boot_ns = bpf_ktime_get_boot_ns();
  /* Between the two readings of an untouched clock there are some nanoseconds. */
  if (result >= 0 && (record->step_ns > 10000 || record->step_ns < -10000)) {
    last_step_ns = record->step_ns;
    __sync_fetch_and_add(&steps, 1);
    __sync_fetch_and_add(&realtime_offset_ns, record->step_ns);
  }
  if (bpf_ringbuf_output(&events, record, sizeof(*record), BPF_RB_FORCE_WAKEUP))
    count_clock_loss(DWELL_CLOCK_LOST_SETS);
  bpf_map_delete_elem(&open_sets, &tid);
}

/* ---- system calls ---- */

static __always_inline __u8 call_of(__u64 number) {
  return number < DWELL_MAX_SYSCALLS ? calls[number & (DWELL_MAX_SYSCALLS - 1)] : DWELL_CALL_NONE;
}

static __always_inline void enter(void *ctx, struct pt_regs *regs, long number) {
  __u8 call = call_of(number);
  if (!call) return;
  if (call >= DWELL_CALL_SETTIMEOFDAY) {
    begin_set(ctx, regs, call);
    return;
  }
  struct dwell_target *target = find_target();
  if (!target) return;
  if (call < DWELL_CALL_VDSO)
    read_by_syscall(target, regs, call);
  else if (call == DWELL_CALL_RESTART)
    go_on_waiting();
  else
    begin_wait(target, regs, call);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_syscall, struct pt_regs *regs, long number) {
  enter(ctx, regs, number);
  return 0;
}

static __always_inline void leave(struct pt_regs *regs, long result) {
  __u8 call = call_of(regs->orig_ax);
  if (call >= DWELL_CALL_SETTIMEOFDAY) {
    end_set(result);
    return;
  }
  if (call <= DWELL_CALL_VDSO || !find_target()) return;
  __u32 tid = dwell_current_tid();
  struct dwell_open_wait *wait = bpf_map_lookup_elem(&open_waits, &tid);
  if (!wait) return;
  /* The kernel's own answers to a signal: the call is made once more, or restart_syscall in its place. */
  if (result <= -512 && result >= -516) {
    wait->stopped = 1;
    return;
  }
  end_wait(wait, result, tid);
  bpf_map_delete_elem(&open_waits, &tid);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_syscall_end, struct pt_regs *regs, long result) {
  leave(regs, result);
  return 0;
}

/* The same by perf's tracepoints, for kernels (from 7.0 on) that can preempt the two above: a CPU skips a program that is preempted
 * on it, for whoever runs there meanwhile. Perf's are never preempted, and cost a little more. */
static __always_inline struct pt_regs *user_registers(void) {
  return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

SEC("tp/raw_syscalls/sys_enter")
int on_perf_syscall(void *ctx) {
  struct pt_regs *regs = user_registers();
  enter(ctx, regs, regs->orig_ax);
  return 0;
}

SEC("tp/raw_syscalls/sys_exit")
int on_perf_syscall_end(void *ctx) {
  struct pt_regs *regs = user_registers();
  leave(regs, regs->ax);
  return 0;
}
