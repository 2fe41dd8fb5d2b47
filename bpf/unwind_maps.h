/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of the unwinder. Userspace (userspace/unwind) sizes them before load and fills them; all tracers
 * of a recording share them.
 */
#ifndef DWELL_BPF_UNWIND_MAPS_H
#define DWELL_BPF_UNWIND_MAPS_H

#include "bpf/maps.h"
#include "bpf/unwind_state.h"

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

/* A uprobe's program can be preempted, and the next task on the CPU can run one too, so scratch memory is
 * claimed, not assumed. More than this many half-done walks on one CPU: the stack is lost, and counted.
 * Userspace fills it with small maps, for the kernel takes their memory from its heap: what it copies to
 * memory that is mapped page by page, as per-CPU maps are, it checks at a price. */
#define DWELL_SCRATCH_SLOTS 6
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, DWELL_SCRATCH_SLOTS); /* for each CPU */
  __type(key, __u32);
  __array(
      values, struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __uint(key_size, sizeof(__u32));
        __uint(value_size, sizeof(struct dwell_scratch));
      });
} unwind_scratch SEC(".maps");

/* How many more walks may send the rest of their stack. It fills up slowly by itself, and at once when userspace learns of
 * new code. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dwell_rest_budget);
} unwind_rests SEC(".maps");

/* Walks that were done, by where they began. */
#define DWELL_MEMO_SETS 1024 /* 2^10 */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DWELL_MEMO_SETS);
  __type(key, __u32);
  __type(value, struct dwell_memo_set);
} unwind_memos SEC(".maps");

#endif /* DWELL_BPF_UNWIND_MAPS_H */
