// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs that do next to nothing at each page fault: what looking there costs whoever has one. */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u16);
} targets SEC(".maps");

/* The tracepoints are of the whole machine: each asks whose fault it is. */
SEC("tp_btf/page_fault_user")
int on_user_fault(void *ctx) {
  __u32 tgid = bpf_get_current_pid_tgid() >> 32;
  return bpf_map_lookup_elem(&targets, &tgid) ? 1 : 0;
}

SEC("tp_btf/page_fault_kernel")
int on_kernel_fault(void *ctx) {
  __u32 tgid = bpf_get_current_pid_tgid() >> 32;
  return bpf_map_lookup_elem(&targets, &tgid) ? 1 : 0;
}

/* The event is of one thread, and of those that it makes. */
SEC("perf_event")
int on_event(void *ctx) { return 0; }
