// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs that do nothing, at each switch and each wake-up: what these cost whoever looks there. */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_switch")
int on_switch(void *ctx) { return 0; }

SEC("tp_btf/sched_waking")
int on_waking(void *ctx) { return 0; }
