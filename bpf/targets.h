/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes are traced, and the header that every record of theirs begins with. */
#ifndef DWELL_BPF_TARGETS_H
#define DWELL_BPF_TARGETS_H

#include "bpf/maps.h"
#include "bpf/pid_namespace.h"
#include "bpf/tracer.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32); /* tgid in userspace's PID namespace */
  __type(value, struct dwell_target);
} targets SEC(".maps");

/* Null: the current process is no target (a fork that inherited the breakpoints, a neighbour). */
static __always_inline struct dwell_target *find_target(void) {
  __u32 tgid = dwell_current_tgid();
  return bpf_map_lookup_elem(&targets, &tgid);
}

static __always_inline struct dwell_header header(__u8 type, __u8 slot, __u16 probe) {
  struct dwell_header h = {.type = type, .process = slot, .probe = probe,
                           .tid = dwell_current_tid()};
  return h;
}

#define DWELL_SEND(record, loss)                                                    \
  do {                                                                              \
    if (bpf_ringbuf_output(&events, &(record), sizeof(record), dwell_wake_flags())) \
      dwell_count_loss(loss);                                                       \
  } while (0)

#endif /* DWELL_BPF_TARGETS_H */
