// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which call sites make contexts that are never cancelled: counted here, so that a server with thousands of
 * requests a second sends nothing but each stack once.
 */
#include "bpf/go_contexts.h"

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
  __type(key, struct dwell_go_context_key);
  __type(value, struct dwell_go_context);
} contexts SEC(".maps"); /* that are not cancelled */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32768);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_go_context_site);
  __type(value, struct dwell_go_context_sums);
} sites SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_go_context_key); /* the address is an itab's */
  __type(value, __u8);                      /* dwell_go_context_end */
} itabs SEC(".maps");

__u64 lost = 0;    /* contexts that found no room in the maps, or whose sums are not there */
__u64 unknown = 0; /* cancelled, and not seen to be made: older than the recording, or cancelled already */

static __always_inline void count_lost_context(void) {
  __sync_fetch_and_add(&lost, 1);
  dwell_count_loss(DWELL_LOST_GO_CONTEXT);
}

static __always_inline struct dwell_go_context_sums *sums_of(const struct dwell_go_context_site *site) {
  static const struct dwell_go_context_sums none;
  struct dwell_go_context_sums *sums = bpf_map_lookup_elem(&sites, site);
  if (sums) return sums;
  bpf_map_update_elem(&sites, site, &none, BPF_NOEXIST);
  return bpf_map_lookup_elem(&sites, site);
}

/* Contexts of package context begin with their parent, an interface: its type, and where it is. */
static __always_inline void read_parents(struct dwell_go_context_site *site, __u64 itab, __u64 address) {
  for (int i = 0; i < DWELL_GO_CONTEXT_PARENTS; i++) {
    struct dwell_go_context_key key = {.address = itab, .process = site->process};
    __u8 *end = bpf_map_lookup_elem(&itabs, &key);
    __u64 parent[2];
    if (!end) return;
    site->parents[i] = itab;
    if (*end == DWELL_GO_CONTEXT_ENDS) return;
    if (bpf_probe_read_user(parent, sizeof(parent), (void *)address)) {
      dwell_count_loss(DWELL_LOST_GO_PARENT);
      return;
    }
    itab = parent[0];
    address = parent[1];
  }
}

static __always_inline void made(struct pt_regs *ctx, __u8 process, bool old) {
  struct dwell_go_context_key key = {.address = old ? ctx->di : ctx->si, .process = process};
  struct dwell_go_context fresh = {}, *known;
  fresh.site.process = process;
  fresh.site.itab = old ? ctx->cx : ctx->di;
  read_parents(&fresh.site, old ? ctx->ax : ctx->bx, old ? ctx->bx : ctx->cx);
  fresh.site.stack = dwell_go_stack(ctx, process);
  fresh.made_ns = bpf_ktime_get_ns();
  known = bpf_map_lookup_elem(&contexts, &key);
  if (known) {
    struct dwell_go_context_site before = known->site;
    struct dwell_go_context_sums *sums = bpf_map_lookup_elem(&sites, &before);
    if (sums)
      __sync_fetch_and_add(&sums->collected, 1);
    else
      count_lost_context();
  }
  struct dwell_go_context_sums *sums = sums_of(&fresh.site);
  if (!sums || bpf_map_update_elem(&contexts, &key, &fresh, BPF_ANY)) {
    count_lost_context();
    return;
  }
  __sync_fetch_and_add(&sums->made, 1);
}

static __always_inline void cancelled(__u64 address, __u8 process) {
  struct dwell_go_context_key key = {.address = address, .process = process};
  struct dwell_go_context *known = bpf_map_lookup_elem(&contexts, &key);
  if (!known) {
    __sync_fetch_and_add(&unknown, 1);
    return;
  }
  struct dwell_go_context_site site = known->site;
  __u64 lived = bpf_ktime_get_ns() - known->made_ns;
  /* Of two that cancel it at once, one has done so. */
  if (bpf_map_delete_elem(&contexts, &key)) return;
  struct dwell_go_context_sums *sums = bpf_map_lookup_elem(&sites, &site);
  if (!sums) {
    count_lost_context();
    return;
  }
  __sync_fetch_and_add(&sums->cancelled, 1);
  __sync_fetch_and_add(&sums->lived_ns, lived);
  if (lived > sums->longest_ns) sums->longest_ns = lived;
}

SEC("uprobe")
int on_context(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  struct dwell_target *target = find_target();
  if (!target) return 0;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  struct dwell_hits *hit = hits_of(cookie);
  if (hit) hit->entries++;
  if (!dwell_go_entered(ctx, cookie)) return 0;
  switch (dwell_probe_shape_of(cookie)) {
    case DWELL_GO_CONTEXT_MADE:
      made(ctx, target->slot, false);
      break;
    case DWELL_GO_CONTEXT_MADE_OLD:
      made(ctx, target->slot, true);
      break;
    case DWELL_GO_CONTEXT_CANCELLED:
      cancelled(ctx->ax, target->slot);
      break;
  }
  return 0;
}
