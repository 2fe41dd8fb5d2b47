/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How often each probe was hit: what the recording cost. Each tracer counts its own. */
#ifndef DWELL_BPF_PROBE_HITS_H
#define DWELL_BPF_PROBE_HITS_H

#include "bpf/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf/probe_shapes.h"
#include "bpf/tracer.h"

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DWELL_MAX_PROBES);
  __type(key, __u32);
  __type(value, struct dwell_hits);
} hits SEC(".maps");

static __always_inline struct dwell_hits *hits_of(__u64 cookie) {
  __u32 index = dwell_probe_index_of(cookie);
  return bpf_map_lookup_elem(&hits, &index);
}

#endif /* DWELL_BPF_PROBE_HITS_H */
