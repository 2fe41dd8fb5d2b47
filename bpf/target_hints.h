/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For programs that run in every process of the machine, to which a look into the map of targets is dearer than all else: a bit
 * for each thread group that may be a target turns most of the others away. Ids of another PID namespace are not told so cheaply.
 */
#ifndef DWELL_BPF_TARGET_HINTS_H
#define DWELL_BPF_TARGET_HINTS_H

#include "bpf/targets.h"

__u64 target_hints[DWELL_HINT_WORDS] = {}; /* set by userspace, before the map has the target */

static __always_inline bool may_be_target(void) {
  __u32 tgid = bpf_get_current_pid_tgid() >> 32;
  return own_pid_level || target_hints[(tgid >> 6) & (DWELL_HINT_WORDS - 1)] >> (tgid & 63) & 1;
}

#endif /* DWELL_BPF_TARGET_HINTS_H */
