// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who opens and closes descriptors, seen at system calls, where the kernel has no BPF trampolines. Every system call of the
 * machine becomes dearer: only for those who ask. What io_uring opens and closes is not seen.
 */
#include "bpf/vmlinux.h"

#include "bpf/descriptor_records.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define MOST_RIGHTS 253       /* SCM_MAX_FD */
#define MOST_CONTROLS 16      /* control messages looked at */
#define MOST_MESSAGES 1024    /* of recvmmsg: UIO_MAXIOV */
#define MESSAGE_BYTES 64      /* struct mmsghdr */

const volatile __u8 calls[DWELL_FD_CALLS] = {}; /* dwell_fd_call, by number */

static __always_inline __u8 call_of(__u64 number) { return number < DWELL_FD_CALLS ? calls[number & (DWELL_FD_CALLS - 1)] : 0; }

/* The descriptors of one call have its stack in common. */
struct sending {
  struct dwell_fd_opened record;
  struct file **files;
  const int *at; /* userspace's array of descriptors */
};

static __always_inline void send_one(struct sending *sending, __u32 fd) {
  struct file *file = NULL;
  bpf_probe_read_kernel(&file, sizeof(file), sending->files + fd);
  if (!file) return; /* another thread has closed it already */
  sending->record.fd = fd;
  describe_file(&sending->record, file);
  DWELL_SEND(sending->record, DWELL_LOST_OPEN);
}

static long send_of_array(__u64 index, void *context) {
  struct sending *sending = context;
  int fd = -1;
  bpf_probe_read_user(&fd, sizeof(fd), sending->at + index);
  if (fd >= 0) send_one(sending, fd);
  return 0;
}

struct user_message { /* struct msghdr */
  __u64 name, name_bytes, parts, part_count, control, control_bytes, flags;
};
struct user_control { /* struct cmsghdr */
  __u64 bytes;
  __u32 level, type;
};

struct controls {
  struct sending *sending;
  __u64 at, end;
};
static long send_of_control(__u64 index, void *context) {
  struct controls *controls = context;
  struct user_control one = {};
  __u64 at = controls->at;
  if (at + sizeof(one) > controls->end || bpf_probe_read_user(&one, sizeof(one), (void *)at) || one.bytes < sizeof(one)) return 1;
  __u64 rights = (one.bytes - sizeof(one)) / sizeof(int);
  controls->sending->at = (const int *)(at + sizeof(one));
  if (one.level == SOL_SOCKET && one.type == SCM_RIGHTS)
    bpf_loop(rights < MOST_RIGHTS ? rights : MOST_RIGHTS, send_of_array, controls->sending, 0);
  controls->at = at + ((one.bytes + 7) & ~7ull);
  return 0;
}

static __always_inline void send_of_message(struct sending *sending, __u64 at) {
  struct user_message message = {};
  if (bpf_probe_read_user(&message, sizeof(message), (void *)at)) return;
  struct controls controls = {sending, message.control, message.control + message.control_bytes};
  bpf_loop(MOST_CONTROLS, send_of_control, &controls, 0);
}

struct messages {
  struct sending *sending;
  __u64 at;
};
static long send_of_messages(__u64 index, void *context) {
  struct messages *messages = context;
  send_of_message(messages->sending, messages->at + index * MESSAGE_BYTES);
  return 0;
}

static __always_inline bool has_rights(__u64 at) {
  struct user_message message = {};
  return !bpf_probe_read_user(&message, sizeof(message), (void *)at) && message.control && message.control_bytes;
}

/* Whether the call has given descriptors to the process. */
static __always_inline bool gives(const struct pt_regs *regs, long result, __u8 call) {
  if (result < 0) return false;
  switch (call) {
    case DWELL_FD_CALL_RETURNS:
    case DWELL_FD_CALL_PAIR_1:
    case DWELL_FD_CALL_PAIR_4:
      return true;
    case DWELL_FD_CALL_FCNTL:
      return (__u32)regs->si == F_DUPFD || (__u32)regs->si == F_DUPFD_CLOEXEC;
    case DWELL_FD_CALL_SIGNALFD:
      return (int)regs->di == -1;
    case DWELL_FD_CALL_BPF:
      return result > 0;
    case DWELL_FD_CALL_DUP_TO:
      return (__u32)regs->di != (__u32)regs->si;
    case DWELL_FD_CALL_MESSAGE:
      return has_rights(regs->si);
    case DWELL_FD_CALL_MESSAGES:
      return result > 0;
  }
  return false;
}

static __always_inline void send_given(struct task_struct *task, const struct pt_regs *regs, long result, __u8 call) {
  struct dwell_target *target = target_of_table(task);
  if (!target || !has_room_for_opening()) return;
  struct sending sending = {.files = BPF_CORE_READ(task, files, fdt, fd)};
  sending.record = opening(task, target);
  if (call == DWELL_FD_CALL_PAIR_1 || call == DWELL_FD_CALL_PAIR_4) {
    sending.at = (const int *)(call == DWELL_FD_CALL_PAIR_1 ? regs->di : regs->r10);
    bpf_loop(2, send_of_array, &sending, 0);
  } else if (call == DWELL_FD_CALL_MESSAGE) {
    send_of_message(&sending, regs->si);
  } else if (call == DWELL_FD_CALL_MESSAGES) {
    struct messages messages = {&sending, regs->si};
    bpf_loop(result < MOST_MESSAGES ? result : MOST_MESSAGES, send_of_messages, &messages, 0);
  } else {
    send_one(&sending, result);
  }
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_call_end, struct pt_regs *regs, long result) {
  if (!may_be_target()) return 0;
  __u8 call = call_of(regs->orig_ax);
  if (call && gives(regs, result, call)) send_given(bpf_get_current_task_btf(), regs, result, call);
  return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *regs, long number) {
  if (!may_be_target()) return 0;
  __u8 call = call_of(number);
  if (call == DWELL_FD_CALL_CLOSE_RANGE) {
    send_closed_range(bpf_get_current_task_btf(), regs);
  } else if (call == DWELL_FD_CALL_CLOSE) {
    struct dwell_target *target = target_of_table(bpf_get_current_task_btf());
    if (target) send_closed(target, regs->di, regs->di);
  }
  return 0;
}
