/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps that every tracer shares: the way out, and the count of what did not get through. */
#ifndef DWELL_BPF_MAPS_H
#define DWELL_BPF_MAPS_H

#include "bpf/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf/events.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 16 << 20); /* userspace sets its own size before load */
} events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DWELL_LOST_KINDS);
  __type(key, __u32);
  __type(value, struct dwell_loss_count);
} losses SEC(".maps");

/* How often userspace has read the losses: it tells the first loss after a reading from those before. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} loss_readings SEC(".maps");

static __always_inline void dwell_count_losses(__u32 kind, __u64 many) {
  __u32 only = 0;
  struct dwell_loss_count *loss = bpf_map_lookup_elem(&losses, &kind);
  __u64 *reading = bpf_map_lookup_elem(&loss_readings, &only);
  if (!loss || !reading) return;
  __u64 now = bpf_ktime_get_ns();
  if (!loss->count || loss->reading != *reading) {
    loss->reading = *reading;
    loss->first_ns = now;
  }
  loss->last_ns = now;
  __sync_fetch_and_add(&loss->count, many); /* a preempted program on this CPU may count too */
}
static __always_inline void dwell_count_loss(__u32 kind) { dwell_count_losses(kind, 1); }

/* A wake-up costs the target about a microsecond, so the reader is woken once for every so many bytes that
 * are sent, and comes by itself for the rest. */
#define DWELL_WAKE_BYTES (256 << 10)
static __always_inline __u64 dwell_wake_flags(void) {
  __u64 sent = bpf_ringbuf_query(&events, BPF_RB_PROD_POS);
  return (sent & (DWELL_WAKE_BYTES - 1)) < 64 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

#endif /* DWELL_BPF_MAPS_H */
