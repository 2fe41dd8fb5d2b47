/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which numbers processes and threads go by.
 *
 * Userspace knows them by their ids in its own PID namespace: so do /proc, -p PID, and every system call that
 * it makes. The kernel's helpers tell the ids of the initial namespace. Whatever crosses between the two
 * sides (records, keys of maps that userspace fills or reads) carries userspace's ids, made here and nowhere
 * else. A task that is not in userspace's namespace, nor in one below it, has no id there: it is 0, which no
 * task has. Keys of maps that stay on the kernel's side may be its own ids, which every task has.
 */
#ifndef DWELL_BPF_PID_NAMESPACE_H
#define DWELL_BPF_PID_NAMESPACE_H

#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Userspace's namespace: how many levels it lies below the initial one, and the inode of /proc/PID/ns/pid.
 * Set before an object is loaded. In the initial one, level 0, none of this costs anything. */
const volatile __u32 own_pid_level = 0;
const volatile __u32 own_pid_inode = 0;

#define DWELL_PIDTYPE_TGID 1

/* The kernel's struct pid has one element of numbers[] for each level, from the initial namespace down; there
 * are at most 32 levels below it. The mask is on the very register: 6.1 knows no bound of a 32-bit product.
 */
#define DWELL_PID_LEVELS 63
static __always_inline void *dwell_upid_at(struct pid *pid, __u32 level) {
  __u64 bounded = level;
  barrier_var(bounded);
  __u64 offset = (bounded & DWELL_PID_LEVELS) * bpf_core_type_size(struct upid);
  return (void *)pid + bpf_core_field_offset(struct pid, numbers) + offset;
}

/* Its id in the namespace of that level, of those that it is in. */
static __always_inline __u32 dwell_id_at(struct pid *pid, __u32 level) {
  int id = 0;
  if (pid)
    bpf_probe_read_kernel(&id, sizeof(id),
                          dwell_upid_at(pid, level) + bpf_core_field_offset(struct upid, nr));
  return id;
}

/* Its id in the innermost namespace that it is in: its own name for itself. */
static __always_inline __u32 dwell_innermost_id(struct pid *pid) {
  return pid ? dwell_id_at(pid, BPF_CORE_READ(pid, level)) : 0;
}

/* Its id in userspace's namespace. */
static __always_inline __u32 dwell_id(struct pid *pid) {
  __u32 level = own_pid_level;
  struct pid_namespace *ns = NULL;
  if (!pid || BPF_CORE_READ(pid, level) < level) return 0;
  bpf_probe_read_kernel(&ns, sizeof(ns), dwell_upid_at(pid, level) + bpf_core_field_offset(struct upid, ns));
  if (!ns || BPF_CORE_READ(ns, ns.inum) != own_pid_inode) return 0;
  return dwell_id_at(pid, level);
}

static __always_inline __u32 dwell_tid_of(struct task_struct *task) {
  if (!own_pid_level) return BPF_CORE_READ(task, pid);
  return dwell_id(BPF_CORE_READ(task, thread_pid));
}

static __always_inline __u32 dwell_tgid_of(struct task_struct *task) {
  if (!own_pid_level) return BPF_CORE_READ(task, tgid);
  return dwell_id(BPF_CORE_READ(task, signal, pids[DWELL_PIDTYPE_TGID]));
}

static __always_inline __u32 dwell_current_tid(void) {
  if (!own_pid_level) return (__u32)bpf_get_current_pid_tgid();
  return dwell_tid_of(bpf_get_current_task_btf());
}

static __always_inline __u32 dwell_current_tgid(void) {
  if (!own_pid_level) return bpf_get_current_pid_tgid() >> 32;
  return dwell_tgid_of(bpf_get_current_task_btf());
}

#endif /* DWELL_BPF_PID_NAMESPACE_H */
