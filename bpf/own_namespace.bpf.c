// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Finds the PID namespace of the process that runs it. How deep it lies, userspace can't be told by any
 * system call: a namespace does not know of those above it.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/pid_namespace.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u32 level, inode; /* as own_pid_level and own_pid_inode */

SEC("syscall")
int find_own_namespace(void *ctx) {
  struct pid *pid = BPF_CORE_READ((struct task_struct *)bpf_get_current_task_btf(), thread_pid);
  struct pid_namespace *ns = NULL;
  level = BPF_CORE_READ(pid, level);
  bpf_probe_read_kernel(&ns, sizeof(ns), dwell_upid_at(pid, level) + bpf_core_field_offset(struct upid, ns));
  inode = BPF_CORE_READ(ns, ns.inum);
  return 0;
}
