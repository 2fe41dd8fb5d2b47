/* SPDX-License-Identifier: Apache-2.0 */
/* What opens.c opens and closes, for the test. */
#ifndef DWELL_TESTS_TARGETS_OPENS_H
#define DWELL_TESTS_TARGETS_OPENS_H

#define OPENS_TIMES 3 /* calls of each function of `calls` */
#define OPENS_KEPT 1  /* of them: what the last one opened stays open */

#define OPENS_RANGE 5          /* by `for_close_range`, closed by one call */
#define OPENS_REPLACED 4       /* by `to_be_replaced`, closed by dup2 */
#define OPENS_CLOSED_BY_EXEC 4
#define OPENS_KEPT_BY_EXEC 3
#define OPENS_SPAWNED 2        /* open in this process, closed in the ones that it spawns */
#define OPENS_STORM_THREADS 4
#define OPENS_STORM_TIMES 10000
#define OPENS_POOL 24
#define OPENS_CACHE 64
#define OPENS_LEFT 15 /* connections that the other side has closed */

/* Each way to come to a descriptor: the function that does, what that is to a recording, and how many a call makes. */
#define OPENS_WAYS(way)                                   \
  way(by_open, "character device", "opened", 1)           \
  way(by_openat, "file", "opened", 1)                     \
  way(by_openat2, "directory", "opened", 1)               \
  way(by_creat, "character device", "opened", 1)          \
  way(by_dup, "pipe", "dup", 1)                           \
  way(by_dup2, "pipe", "dup", 1)                          \
  way(by_dup3, "pipe", "dup", 1)                          \
  way(by_fcntl, "pipe", "dup", 1)                         \
  way(by_socket, "socket", "opened", 1)                   \
  way(by_socketpair, "socket", "opened", 2)               \
  way(by_pipe, "pipe", "opened", 2)                       \
  way(by_pipe2, "pipe", "opened", 2)                      \
  way(by_eventfd, "eventfd", "opened", 1)                 \
  way(by_epoll, "epoll", "opened", 1)                     \
  way(by_memfd, "memfd", "opened", 1)                     \
  way(by_inotify, "inotify", "opened", 1)                 \
  way(by_fanotify, "fanotify", "opened", 1)               \
  way(by_signalfd, "signalfd", "opened", 1)               \
  way(by_timerfd, "timerfd", "opened", 1)                 \
  way(by_userfaultfd, "userfaultfd", "opened", 1)         \
  way(by_pidfd_open, "pidfd", "opened", 1)                \
  way(by_pidfd_getfd, "pipe", "pidfd_getfd", 1)           \
  way(by_perf_event, "perf event", "opened", 1)           \
  way(by_io_uring, "io_uring", "opened", 1)               \
  way(by_accept, "socket", "accepted", 1)                 \
  way(by_recvmsg, "pipe", "received", 2)                  \
  way(by_recvmmsg, "pipe", "received", 2)

#endif /* DWELL_TESTS_TARGETS_OPENS_H */
