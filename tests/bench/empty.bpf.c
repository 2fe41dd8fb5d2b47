// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs that do nothing, at the entry and the return of functions: the price of the traps alone. */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("uprobe")
int on_call(struct pt_regs *ctx) { return 0; }

SEC("uprobe")
int on_entry(struct pt_regs *ctx) { return 0; }

SEC("uprobe")
int on_return(struct pt_regs *ctx) { return 0; }
