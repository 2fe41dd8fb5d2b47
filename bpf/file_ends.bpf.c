// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who has certain pipes and sockets open, in all processes, and in what state they are: an iterator over open
 * files, which stops nothing. /proc shows who has them, too, but not how many there are in all, nor whether a
 * pipe is full.
 */
#include "bpf/file_ends.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/pid_namespace.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFSOCK 0140000
#define FMODE_READ 1
#define FMODE_WRITE 2
#define AF_UNIX 1
#define NO_LIMIT 0x7fffffffffffffffll /* MAX_SCHEDULE_TIMEOUT */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, __u64); /* inode */
  __type(value, __u8);
  __uint(max_entries, DWELL_WANTED_FILES);
} wanted SEC(".maps");

/* One reader at a time. */
struct dwell_file_end end;

/* The iterator itself holds one while it shows a file. */
static __always_inline __u64 refs_of(struct file *file) {
  struct file___counted *older = (void *)file;
  struct file___ref *newer = (void *)file;
  __u64 refs = 0;
  if (bpf_core_field_exists(newer->f_ref))
    refs = BPF_CORE_READ(newer, f_ref.refcnt.counter) + 1; /* 0 is the last one */
  else
    refs = BPF_CORE_READ(older, f_count.counter);
  return refs ? refs - 1 : 0;
}

static __always_inline void read_pipe(struct pipe_inode_info *pipe) {
  end.kind = DWELL_END_PIPE;
  if (!pipe) return;
  end.readers = BPF_CORE_READ(pipe, readers);
  end.writers = BPF_CORE_READ(pipe, writers);
  end.used = BPF_CORE_READ(pipe, head) - BPF_CORE_READ(pipe, tail);
  end.most = BPF_CORE_READ(pipe, max_usage);
}

static __always_inline void read_socket(struct file *file) {
  struct socket *socket = (struct socket *)BPF_CORE_READ(file, private_data);
  struct sock *sock = socket ? BPF_CORE_READ(socket, sk) : NULL;
  end.kind = DWELL_END_SOCKET;
  if (!sock) return;
  end.receive_timed = BPF_CORE_READ(sock, sk_rcvtimeo) != NO_LIMIT;
  end.send_timed = BPF_CORE_READ(sock, sk_sndtimeo) != NO_LIMIT;
  if (BPF_CORE_READ(sock, __sk_common.skc_family) != AF_UNIX) return;
  end.kind = DWELL_END_UNIX;
  struct sock *peer = BPF_CORE_READ((struct unix_sock *)sock, peer);
  struct socket *other = peer ? BPF_CORE_READ(peer, sk_socket) : NULL;
  if (other) end.peer_inode = BPF_CORE_READ((struct socket_alloc *)other, vfs_inode.i_ino);
}

SEC("iter/task_file")
int file_ends(struct bpf_iter__task_file *ctx) {
  struct task_struct *task = ctx->task;
  struct file *file = ctx->file;
  if (!task || !file) return 0;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  __u64 number = BPF_CORE_READ(inode, i_ino);
  if (!bpf_map_lookup_elem(&wanted, &number)) return 0;
  __u32 type = BPF_CORE_READ(inode, i_mode) & S_IFMT, mode = BPF_CORE_READ(file, f_mode);
  if (type != S_IFIFO && type != S_IFSOCK) return 0; /* a file of another file system with that number */

  __builtin_memset(&end, 0, sizeof(end));
  end.inode = number;
  end.file = (__u64)file;
  end.pid = dwell_tgid_of(task);
  end.fd = ctx->fd;
  end.flags = (mode & FMODE_READ ? DWELL_END_READS : 0) | (mode & FMODE_WRITE ? DWELL_END_WRITES : 0);
  end.refs = refs_of(file);
  if (type == S_IFIFO)
    read_pipe(BPF_CORE_READ(inode, i_pipe));
  else
    read_socket(file);
  bpf_seq_write(ctx->meta->seq, &end, sizeof(end));
  return 0;
}
