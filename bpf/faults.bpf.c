// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who touches memory first: page faults of the targets, by their own instructions and by the kernel's on their behalf (a read()
 * into a fresh buffer), with the stack. The kernel tells of a fault before it handles it.
 */
#include "bpf/faults.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/run_time.h"
#include "bpf/target_hints.h"
#include "bpf/targets.h"
#include "bpf/unwind.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* x86's error code of a page fault (arch/x86/include/asm/trap_pf.h). */
#define X86_PF_PROT 1
#define X86_PF_WRITE 2

#define USER_SPACE_BITS 56 /* with five levels of page tables; above lies the kernel's half */
#define SECOND 1000000000ull
#define LOWER_AFTER_NS (2 * SECOND)
#define MOST_STEPS 6 /* of the shift, at once */

struct dwell_fault_budget budget = {.price_ns = SECOND / DWELL_FAULT_RATE, .burst = DWELL_FAULT_BURST};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} unsent SEC(".maps");

/* Faults are sent only while less than this waits in the ring: the rest is for allocations and frees. */
const volatile __u64 ring_limit_bytes = ~0ull;

/* So many that the rate of the faults since the last change would fit. */
static __always_inline __u32 steps_up(__u64 sent, __u64 ns) {
  __u32 steps = 1;
  for (int i = 1; i < MOST_STEPS; i++) {
    if ((sent * budget.price_ns) >> i > ns) steps = i + 1;
  }
  return steps;
}

static __always_inline void set_shift(__u32 shift, __u64 now) {
  budget.shift = shift < DWELL_FAULT_MOST_SHIFT ? shift : DWELL_FAULT_MOST_SHIFT;
  budget.changed_ns = now;
  budget.sent = 0;
}

/* One more is sent: from the next on it may be fewer, or more again. */
static __always_inline void pay(__u32 shift, __u64 now) {
  __u64 paid = budget.paid_until_ns > now ? budget.paid_until_ns : now;
  __u64 age = now - budget.changed_ns, sent = budget.sent + 1;
  __u64 price = budget.price_ns, burst = budget.burst * price;
  budget.paid_until_ns = paid + price;
  budget.sent = sent;
  if (paid - now > burst) {
    budget.paid_until_ns = now + burst / 2;
    set_shift(shift + steps_up(sent, age), now);
  } else if (shift > budget.floor && age > LOWER_AFTER_NS && sent * price < age / 4) {
    set_shift(shift - 1, now);
  }
}

/* Faults of targets that were not sent cost next to nothing, and there may be very many. */
static __always_inline void count_unsent(void) {
  __u32 key = 0;
  __u64 *count = bpf_map_lookup_elem(&unsent, &key);
  if (count) ++*count;
}

static __always_inline void send(const struct pt_regs *regs, __u64 address, __u64 code) {
  __u32 shift = budget.shift;
  struct dwell_target *target = find_target();
  if (!target) return;
  if (!dwell_page_is_chosen(address, shift)) {
    count_unsent();
    return;
  }
  __u64 now = bpf_ktime_get_ns();
  pay(shift, now);
  if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > ring_limit_bytes) {
    dwell_count_loss(DWELL_LOST_FAULT);
    return;
  }
  __u16 flags = (code & X86_PF_WRITE ? DWELL_FAULT_WRITE : 0) | (code & X86_PF_PROT ? DWELL_FAULT_PROTECTED : 0);
  struct dwell_fault_record record = {.h = header(DWELL_FAULT, target->slot, flags | shift << 8),
                                      .time_ns = now,
                                      .address = address >> DWELL_FAULT_PAGE_SHIFT << DWELL_FAULT_PAGE_SHIFT};
  struct dwell_stack_start start = {.pc = regs->ip, .sp = regs->sp, .bp = regs->bp, .flags = DWELL_PC_EXACT};
  record.stack = dwell_stack(NULL, start, target->slot, record.h.tid);
  DWELL_SEND(record, DWELL_LOST_FAULT);
  count_run_since(now);
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_user_fault, unsigned long address, struct pt_regs *regs, unsigned long code) {
  if (may_be_target()) send(regs, address, code);
  return 0;
}

/* Reads that may fail, as those of our own walks, bring no page. */
SEC("tp_btf/page_fault_kernel")
int BPF_PROG(on_kernel_fault, unsigned long address, struct pt_regs *regs, unsigned long code) {
  if (address >> USER_SPACE_BITS || !may_be_target()) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  if (!task->pagefault_disabled) send((const struct pt_regs *)bpf_task_pt_regs(task), address, code);
  return 0;
}
