/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of the unwinder. Userspace (userspace/unwind) sizes them before load and fills them; all tracers of a
 * recording share them.
 */
#ifndef DWELL_BPF_UNWIND_MAPS_H
#define DWELL_BPF_UNWIND_MAPS_H

/* clang-format off: libbpf's headers need the types of vmlinux.h. */
#include "bpf/maps.h"
#include "bpf/unwind_tables.h"
/* clang-format on */

/* Sizes here are the smallest that load; userspace sets what the target needs. */
#define DWELL_TABLE_MAP(name, type_)   \
  struct {                             \
    __uint(type, BPF_MAP_TYPE_ARRAY);  \
    __uint(map_flags, BPF_F_MMAPABLE); \
    __uint(max_entries, 1);            \
    __type(key, __u32);                \
    __type(value, type_);              \
  } name SEC(".maps")

DWELL_TABLE_MAP(unwind_mappings, struct dwell_unwind_mapping);
DWELL_TABLE_MAP(unwind_pages, struct dwell_unwind_page);
DWELL_TABLE_MAP(unwind_rows, struct dwell_unwind_row);
DWELL_TABLE_MAP(unwind_rules, struct dwell_unwind_rule);

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, DWELL_UNWIND_SPACES);
  __type(key, __u32);
  __type(value, __u64); /* index of the space's header in unwind_mappings, 0 if there is none */
} unwind_spaces SEC(".maps");

/* Which identities were sent. Direct sets instead of an LRU hash: a lookup is one cache line and no lock. A
 * set that overflows, or a race between CPUs, sends a stack once more, and that does no harm. */
#define DWELL_SEEN_SETS 32768
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DWELL_SEEN_SETS);
  __type(key, __u32);
  __type(value, struct dwell_seen_set);
} unwind_seen SEC(".maps");

/* Rules by return address: what walks meet, they meet over and over. One word an entry, so that no reader
 * ever sees half of one. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 65536);
  __type(key, __u32);
  __type(value, __u64);
} unwind_cache SEC(".maps");

#endif /* DWELL_BPF_UNWIND_MAPS_H */
