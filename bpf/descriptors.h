/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Descriptors of the targets, as records in the ring buffer: plain C, compiled by both sides.
 *
 * Order: a closing is sent before the descriptor is given up, and an opening before, or just after, it is there. For any number,
 * the order in the ring is therefore the order of what it stood for.
 */
#ifndef DWELL_BPF_DESCRIPTORS_H
#define DWELL_BPF_DESCRIPTORS_H

#include "bpf/events.h"

enum { /* dwell_header.type; no other tracer's */
       DWELL_FD_OPENED = 104,
       DWELL_FD_CLOSED = 105,
       DWELL_FD_LEFT = 106, /* dwell_fd_left: which descriptors an exec has left open */
};

#define DWELL_FD_CALL_UNKNOWN 0xffff /* dwell_fd_opened.call: by a thread of the kernel inside the process (io_uring) */
#define DWELL_FD_NAME 16

struct dwell_fd_opened {
  struct dwell_header h; /* probe: the system call, or DWELL_FD_CALL_UNKNOWN */
  __u64 time_ns;
  __u64 stack; /* identity, 0 if it was lost */
  __u32 fd;
  __u32 magic; /* of the file system (linux/magic.h) */
  __u32 device; /* of a device */
  __u16 mode;  /* of the inode */
  __u16 unused;
  char name[DWELL_FD_NAME]; /* how the name of the file begins */
};

struct dwell_fd_closed {
  struct dwell_header h;
  __u64 time_ns;
  __u32 first, last;
};

/* 64 descriptors each, in ascending order. */
struct dwell_fd_left {
  struct dwell_header h; /* probe: 1 of the last record: there are no descriptors from `first` on */
  __u64 time_ns;
  __u64 open; /* a bit for each */
  __u32 first;
  __u32 unused;
};

/* What a system call does to descriptors, by its number: of the tracer that follows system calls. */
enum dwell_fd_call {
  DWELL_FD_CALL_NONE = 0,
  DWELL_FD_CALL_RETURNS,    /* gives a descriptor back */
  DWELL_FD_CALL_FCNTL,      /* does with F_DUPFD and F_DUPFD_CLOEXEC */
  DWELL_FD_CALL_SIGNALFD,   /* does if its first argument is -1 */
  DWELL_FD_CALL_BPF,        /* does with some commands */
  DWELL_FD_CALL_DUP_TO,     /* (old, new): gives `new` back, and has closed what that was */
  DWELL_FD_CALL_PAIR_1,     /* stores two, at its first argument */
  DWELL_FD_CALL_PAIR_4,     /* at its fourth */
  DWELL_FD_CALL_MESSAGE,    /* (socket, message): may store descriptors in the message */
  DWELL_FD_CALL_MESSAGES,   /* (socket, messages, count) */
  DWELL_FD_CALL_CLOSE,      /* at its start */
  DWELL_FD_CALL_CLOSE_RANGE,
};
#define DWELL_FD_CALLS 512 /* numbers of system calls */

DWELL_PIN(struct dwell_fd_opened, 56);
DWELL_PIN(struct dwell_fd_closed, 24);
DWELL_PIN(struct dwell_fd_left, 32);

#endif /* DWELL_BPF_DESCRIPTORS_H */
