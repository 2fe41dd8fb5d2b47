// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One allocation of each span that a Go program takes, with its stack. */
#include "bpf/go_allocs.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/bounds.h"
#include "bpf/probe_hits.h"
#include "bpf/targets.h"
#include "bpf/thread_stack.h"
#include "bpf/unwind.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DWELL_UNWIND_SPACES);
  __type(key, __u32); /* process */
  __type(value, struct dwell_go_span_layout);
} span_layouts SEC(".maps");

__u64 window = 0; /* 0: none is open */
__u64 lost = 0;   /* samples that found no room in the ring, or whose span could not be read */

static __always_inline int count_lost_sample(void) {
  __sync_fetch_and_add(&lost, 1);
  dwell_count_loss(DWELL_LOST_GO_SAMPLE);
  return 0;
}

#define DWELL_SPAN_START 24
#define DWELL_SPAN_WORDS 16 /* of 64 objects: no span has more than 1024 */

static __always_inline __u64 number_at(__u64 address, bool is_short) {
  __u64 number = 0;
  bpf_probe_read_user(&number, DWELL_AT_MOST(is_short ? 2 : 8, sizeof(number)), (const void *)address);
  return number;
}

static __always_inline __u64 lowest_bit(__u64 word) {
  __u64 bit = 0;
  for (int width = 32; width; width >>= 1)
    if (!(word & ((1ull << width) - 1))) {
      word >>= width;
      bit += width;
    }
  return bit;
}

/* The object that the span gives out next; as many as it has if that is not known. */
static __always_inline __u64 next_object(__u64 span, const struct dwell_go_span_layout *layout,
                                         __u64 elements) {
  __u64 first = number_at(span + layout->free_index, layout->short_numbers);
  __u64 free = number_at(span + layout->cache, false), bits = number_at(span + layout->bits, false);
  if (free) return first + lowest_bit(free);
  first = (first + 64) & ~63ull;
  for (int i = 0; i < DWELL_SPAN_WORDS && first < elements; i++, first += 64) {
    free = ~number_at(bits + first / 8, false);
    if (free) return first + lowest_bit(free);
  }
  return elements;
}

/* rax is a span that was just taken. */
SEC("uprobe")
int on_span(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  struct dwell_target *target = find_target();
  if (!target) return 0;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  struct dwell_hits *hit = hits_of(cookie);
  if (hit) hit->entries++;
  __u32 slot = target->slot;
  struct dwell_go_span_layout *layout = bpf_map_lookup_elem(&span_layouts, &slot);
  __u64 span = ctx->ax;
  if (!window || !layout || !layout->known || !span) return 0;

  __u64 elements = number_at(span + layout->elements, layout->short_numbers);
  __u64 taken = number_at(span + layout->count, true);
  struct dwell_go_alloc_record record = {.h = header(DWELL_GO_ALLOC, target->slot, 0), .span = span};
  record.element_size = number_at(span + layout->element_size, false);
  if (!elements || !record.element_size) return count_lost_sample(); /* the span can't be read */
  if (taken >= elements) return 0;
  __u64 object = next_object(span, layout, elements);
  if (object < elements)
    record.address = number_at(span + DWELL_SPAN_START, false) + object * record.element_size;
  record.objects = elements - taken;
  record.time_ns = bpf_ktime_get_ns();
  /* Inside the function, with its frame set up: as if the call before the probe were under way. */
  struct dwell_stack_start start = {.pc = ctx->ip, .sp = ctx->sp, .bp = ctx->bp};
  record.stack = dwell_stack(NULL, start, target->slot, record.h.tid);
  if (bpf_ringbuf_output(&events, &record, sizeof(record), dwell_wake_flags())) return count_lost_sample();
  return 0;
}
