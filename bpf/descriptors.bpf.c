// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who opens and closes descriptors, seen where the kernel puts a file into a descriptor table and takes it out: whatever system
 * call it is, or io_uring. Needs BPF trampolines. All other processes of the machine pay for these functions only.
 */
#include "bpf/vmlinux.h"

#include "bpf/descriptor_records.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void send_opened(__u32 fd, struct file *file) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct dwell_target *target = target_of_table(task);
  if (!target || !has_room_for_opening()) return;
  struct dwell_fd_opened record = opening(task, target);
  record.fd = fd;
  describe_file(&record, file);
  DWELL_SEND(record, DWELL_LOST_OPEN);
}

SEC("fentry/fd_install")
int BPF_PROG(on_install, unsigned int fd, struct file *file) {
  if (may_be_target()) send_opened(fd, file);
  return 0;
}

/* What was at `fd` before is closed: dup2, dup3, and a supervisor's SECCOMP_IOCTL_NOTIF_ADDFD. */
static __always_inline void replaced(__u32 fd) {
  struct file **files = BPF_CORE_READ(bpf_get_current_task_btf(), files, fdt, fd);
  struct file *file = NULL;
  bpf_probe_read_kernel(&file, sizeof(file), files + fd);
  if (file) send_opened(fd, file);
}

SEC("fexit/__x64_sys_dup2")
int BPF_PROG(on_dup2, const struct pt_regs *regs, long result) {
  if (may_be_target() && result >= 0 && (__u32)regs->di != (__u32)regs->si) replaced(result);
  return 0;
}

SEC("fexit/__x64_sys_dup3")
int BPF_PROG(on_dup3, const struct pt_regs *regs, long result) {
  if (may_be_target() && result >= 0) replaced(result);
  return 0;
}

SEC("fexit/receive_fd_replace")
int BPF_PROG(on_receive_replace, int fd, struct file *file, unsigned int flags, int result) {
  if (may_be_target() && result >= 0) send_opened(fd, file);
  return 0;
}

static __always_inline int closing(__u32 fd) {
  if (!may_be_target()) return 0;
  struct dwell_target *target = target_of_table(bpf_get_current_task_btf());
  if (target) send_closed(target, fd, fd);
  return 0;
}

SEC("fentry/close_fd")
int BPF_PROG(on_close, unsigned int fd) { return closing(fd); }

/* From Linux 6.8 on, what close calls. */
SEC("fentry/file_close_fd")
int BPF_PROG(on_file_close, unsigned int fd) { return closing(fd); }

SEC("fentry/__x64_sys_close_range")
int BPF_PROG(on_close_range, const struct pt_regs *regs) {
  if (may_be_target()) send_closed_range(bpf_get_current_task_btf(), regs);
  return 0;
}

/* io_uring; it may try again, before the descriptor is given up. */
SEC("fentry/io_close")
int BPF_PROG(on_ring_close, struct io_close *close) {
  if (may_be_target() && !BPF_CORE_READ(close, file_slot)) closing(BPF_CORE_READ(close, fd));
  return 0;
}
