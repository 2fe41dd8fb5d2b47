/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types as far as our BPF programs look into them. Only the fields that are used are listed:
 * preserve_access_index lets libbpf find their real places in the running kernel (CO-RE), so neither the
 * order nor the size of these structs means anything, and a build needs no BTF of the build machine.
 * libbpf fits a load to a field of another width only if both are unsigned.
 *
 * What is part of the kernel's stable interface comes from the distribution's own UAPI headers.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/bpf.h>
#include <linux/types.h>

typedef _Bool bool;
#ifndef NULL
#define NULL ((void *)0)
#endif
#define true 1
#define false 0

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* x86-64. The programs get it as their context, so its layout is interface, but relocating does not hurt. */
struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

/* One pending return probe of a thread, innermost first. */
struct return_instance {
  unsigned long stack;          /* where the hijacked return address lies */
  unsigned long orig_ret_vaddr; /* what lay there before */
  struct return_instance *next;
};

struct uprobe_task {
  struct return_instance *return_instances;
  unsigned int depth;
};

struct xol_area {
  unsigned long vaddr;
};

struct uprobes_state {
  struct xol_area *xol_area;
};

struct mm_struct {
  unsigned long start_stack; /* where the main thread's stack pointer was at first */
  unsigned long brk;
  struct uprobes_state uprobes_state;
};

struct file;
struct vm_area_struct {
  unsigned long vm_start, vm_end;
  unsigned long vm_flags;
  struct file *vm_file;
};

struct thread_struct {
  unsigned long fsbase; /* the thread pointer, for threads that are not running in userspace just now */
};

struct ns_common {
  unsigned int inum;
};

struct pid_namespace {
  struct ns_common ns;
};

struct upid {
  int nr;
  struct pid_namespace *ns;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

typedef struct {
  int counter;
} atomic_t;

struct signal_struct {
  atomic_t live; /* threads that have not begun to exit */
  int nr_threads;
  struct pid *pids[4]; /* by pid_type: thread, process, group, session */
};

struct rq {
  u64 clock;
  u64 clock_task;
};
struct cfs_rq {
  struct rq *rq; /* of the CPU */
};

struct sched_entity {
  struct cfs_rq *cfs_rq;
  u64 exec_start; /* when sum_exec_runtime was last added up, by the scheduler's clock */
  u64 sum_exec_runtime;
  u64 prev_sum_exec_runtime; /* the same when it was last given a CPU */
};

struct sched_info {
  unsigned long long last_arrival;
};

struct robust_list_head;

/* Linux 7.2 and newer: what task_struct itself has up to 7.1. */
struct futex_sched_data {
  struct robust_list_head *robust_list;
};
struct task_struct___futex {
  struct futex_sched_data futex;
};

struct task_struct {
  int pid;
  int tgid;
  unsigned int on_cpu; /* signed up to 7.1: see above */
  int exit_state;
  unsigned int policy;
  struct sched_entity se;
  struct sched_info sched_info;
  struct robust_list_head *robust_list;
  unsigned int __state;
  unsigned int flags;
  int pagefault_disabled;
  int exit_code;
  struct task_struct *real_parent;
  struct task_struct *group_leader;
  struct signal_struct *signal;
  struct files_struct *files;
  struct mm_struct *mm;
  struct thread_struct thread;
  unsigned long sas_ss_sp;
  struct uprobe_task *utask;
  struct pid *thread_pid;
  u64 start_time;
  u64 start_boottime;
  u64 utime;
  u64 stime;
  unsigned long nvcsw;
  unsigned long nivcsw;
  char comm[16];
};

/* Contexts of trace event programs (SEC("tp/...")). */
struct trace_entry {
  unsigned short type;
  unsigned char flags;
  unsigned char preempt_count;
  int pid;
};

struct trace_event_raw_sys_enter {
  struct trace_entry ent;
  long id;
  unsigned long args[6];
};

struct trace_event_raw_sys_exit {
  struct trace_entry ent;
  long id;
  long ret;
};

struct seq_file;

struct bpf_iter_meta {
  struct seq_file *seq;
};

struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

/* Open files, pipes and sockets. */
typedef struct {
  s64 counter;
} atomic64_t;

struct pipe_inode_info {
  unsigned int head, tail; /* within an anonymous union since Linux 6.14 */
  unsigned int max_usage;
  unsigned int readers, writers;
};

struct super_block {
  unsigned long s_magic;
};

struct inode {
  unsigned short i_mode;
  unsigned int i_rdev;
  unsigned long i_ino;
  struct super_block *i_sb;
  struct pipe_inode_info *i_pipe;
};

struct qstr {
  const unsigned char *name;
};
struct dentry {
  struct qstr d_name; /* within an anonymous union since Linux 6.16 */
};
struct path {
  struct dentry *dentry;
};

struct file {
  unsigned int f_mode;
  struct path f_path; /* within an anonymous union since Linux 6.17 */
  struct inode *f_inode;
  void *private_data;
};

/* Descriptors of a process: a bit and a file for each. */
struct fdtable {
  unsigned int max_fds;
  struct file **fd;
  unsigned long *open_fds;
};
struct files_struct {
  struct fdtable *fdt;
};

/* What an io_kiocb begins with where it closes a descriptor. */
struct io_close {
  struct file *file;
  int fd;
  u32 file_slot;
};

/* Up to Linux 6.12, and from 6.13 on. */
struct file___counted {
  atomic64_t f_count;
};
typedef struct {
  atomic64_t refcnt;
} file_ref_t;
struct file___ref {
  file_ref_t f_ref;
};

struct sock_common {
  unsigned short skc_family;
};

struct socket;
struct sock {
  struct sock_common __sk_common;
  long sk_rcvtimeo;
  long sk_sndtimeo;
  struct socket *sk_socket;
};

struct socket {
  struct sock *sk;
};

struct unix_sock {
  struct sock *peer;
};

struct socket_alloc {
  struct inode vfs_inode;
};

struct bpf_iter__task_file {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
  u32 fd;
  struct file *file;
};

struct trace_event_raw_sched_process_template {
  struct trace_entry ent;
  char comm[16];
  int pid;
  int prio;
};

#pragma clang attribute pop

#endif /* __VMLINUX_H__ */
