// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For how long goroutines are parked, by stack and wait reason: summed up here, so that a program whose
 * goroutines switch a hundred thousand times a second sends nothing but each stack once.
 */
#include "bpf/go_parks.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/go_stack.h"
#include "bpf/probe_hits.h"
#include "bpf/targets.h"
#include "bpf/thread_stack.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1 << 20);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_goroutine_key);
  __type(value, struct dwell_goroutine);
} goroutines SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32768);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_go_site);
  __type(value, struct dwell_go_site_sums);
} sites SEC(".maps");

__u64 window = 0; /* 0: none is open */
__u64 lost = 0;   /* parks that found no room in the maps */

static __always_inline void count_lost_park(void) {
  __sync_fetch_and_add(&lost, 1);
  dwell_count_loss(DWELL_LOST_GO_PARK);
}

static __always_inline void count_at(const struct dwell_go_site *site, __u64 ns, __u64 queued_ns,
                                     bool queued) {
  static const struct dwell_go_site_sums none;
  struct dwell_go_site_sums *sums = bpf_map_lookup_elem(&sites, site);
  if (!sums) {
    bpf_map_update_elem(&sites, site, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&sites, site);
  }
  if (!sums) {
    count_lost_park();
    return;
  }
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->ns, ns);
  if (ns > sums->max_ns) sums->max_ns = ns;
  if (!queued) return;
  __sync_fetch_and_add(&sums->queued, 1);
  __sync_fetch_and_add(&sums->queued_ns, queued_ns);
}

static __always_inline void parks(struct pt_regs *ctx, struct dwell_goroutine_key *key) {
  struct dwell_goroutine fresh = {}, *known;
  fresh.site.process = (__u8)key->process;
  fresh.site.reason = (__u8)ctx->cx;
  fresh.site.stack = dwell_go_stack(ctx, fresh.site.process);
  fresh.since_ns = bpf_ktime_get_ns(); /* behind the walk, which is none of its waiting */
  known = bpf_map_lookup_elem(&goroutines, key);
  if (known) {
    known->site = fresh.site;
    known->ready_ns = 0;
    known->since_ns = fresh.since_ns;
  } else if (bpf_map_update_elem(&goroutines, key, &fresh, BPF_ANY)) {
    count_lost_park();
  }
}

static __always_inline void runs(struct dwell_goroutine_key *key) {
  __u64 now = bpf_ktime_get_ns();
  struct dwell_goroutine *known = bpf_map_lookup_elem(&goroutines, key);
  if (!known) {
    struct dwell_goroutine fresh = {.first_run_ns = now};
    if (bpf_map_update_elem(&goroutines, key, &fresh, BPF_ANY)) count_lost_park();
    return;
  }
  __u64 since = known->since_ns, ready = known->ready_ns;
  if (!since) return;
  struct dwell_go_site site = known->site;
  known->since_ns = 0;
  count_at(&site, now - since, now - ready, ready != 0);
}

static __always_inline void contends(struct pt_regs *ctx, __u8 process) {
  struct dwell_go_site site = {.process = process, .kind = DWELL_GO_CONTENDED};
  site.stack = dwell_go_stack(ctx, process);
  count_at(&site, 0, 0, false);
}

SEC("uprobe")
int on_go(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  struct dwell_target *target = find_target();
  if (!target) return 0;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  struct dwell_hits *hit = hits_of(cookie);
  if (hit) hit->entries++;
  if (!window || !dwell_go_entered(ctx, cookie)) return 0;
  struct dwell_goroutine_key key = {.address = ctx->ax, .process = target->slot};
  switch (dwell_probe_shape_of(cookie)) {
    case DWELL_GO_PARK:
      key.address = ctx->r14;
      parks(ctx, &key);
      break;
    case DWELL_GO_READY: {
      struct dwell_goroutine *known = bpf_map_lookup_elem(&goroutines, &key);
      if (known && known->since_ns) known->ready_ns = bpf_ktime_get_ns();
      break;
    }
    case DWELL_GO_EXECUTE:
      runs(&key);
      break;
    case DWELL_GO_CONTEND:
      contends(ctx, target->slot);
      break;
  }
  return 0;
}
