/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel knows of open pipes and sockets: plain C, compiled by both sides. The iterator writes one
 * dwell_file_end for each descriptor, of any process, of a file that userspace asked for.
 */
#ifndef DWELL_BPF_FILE_ENDS_H
#define DWELL_BPF_FILE_ENDS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define DWELL_WANTED_FILES 4096

enum dwell_file_end_kind {
  DWELL_END_OTHER = 0,
  DWELL_END_PIPE = 1, /* FIFOs too */
  DWELL_END_UNIX = 2,
  DWELL_END_SOCKET = 3, /* of another family */
};

enum dwell_file_end_flags {
  DWELL_END_READS = 1, /* the open file may be read */
  DWELL_END_WRITES = 2,
  DWELL_END_SHUT = 4,  /* one side of the socket is shut down */
};

struct dwell_file_end {
  __u64 inode;
  __u64 file;       /* which open file it is: descriptors that share one have the same */
  __u64 peer_inode; /* UNIX: of the socket on the other side, 0: none */
  __u32 pid;        /* whose descriptor, as the reader sees it; 0: of a process that it doesn't */
  __u32 fd;
  __u32 kind;       /* dwell_file_end_kind */
  __u32 flags;      /* dwell_file_end_flags */
  __u64 refs;       /* of the open file: one for each descriptor and each call in progress, the reader's own left out */
  __u32 readers, writers; /* of a pipe: open files, all processes */
  __u32 used, most;       /* of a pipe: buffers that hold data, and that it may have */
  __u32 receive_timed, send_timed; /* of a socket: it has a time limit (SO_RCVTIMEO, SO_SNDTIMEO) */
};

#if defined(__cplusplus)
static_assert(sizeof(struct dwell_file_end) == 72);
#else
_Static_assert(sizeof(struct dwell_file_end) == 72, "dwell_file_end");
#endif

#endif /* DWELL_BPF_FILE_ENDS_H */
