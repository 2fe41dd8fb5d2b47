/* SPDX-License-Identifier: Apache-2.0 */
/* Each way to come to a descriptor, a function each. */
#ifndef DWELL_TESTS_TARGETS_OPENS_BY_H
#define DWELL_TESTS_TARGETS_OPENS_BY_H

#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "tests/targets/opens.h"

#define NOINLINE __attribute__((noinline))
#define SYS_close_range_number 436
#define SYS_pidfd_getfd_number 438

static void fail_unless(int condition) {
  if (!condition) abort();
}

/* Keeps the caller's frame: the call before it is no tail call. */
static inline int kept(int fd) {
  __asm__ volatile("" : "+r"(fd) : : "memory");
  return fd;
}

static void close_both(const int fds[2]) {
  for (int i = 0; i < 2; i++)
    if (fds[i] >= 0) close(fds[i]);
}

NOINLINE static void by_open(int *fds) { fds[0] = kept((int)syscall(SYS_open, "/dev/null", O_RDONLY)); }
NOINLINE static void by_openat(int *fds) { fds[0] = kept(openat(AT_FDCWD, "/bin/true", O_RDONLY)); }
NOINLINE static void by_openat2(int *fds) {
  struct open_how how = {.flags = O_RDONLY};
  fds[0] = kept((int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how));
}
NOINLINE static void by_creat(int *fds) { fds[0] = kept((int)syscall(SYS_creat, "/dev/null", 0600)); }
NOINLINE static void by_dup(int *fds) { fds[0] = kept(dup(0)); }
NOINLINE static void by_dup2(int *fds) {
  static int number = 200;
  fds[0] = kept(dup2(0, number++));
}
NOINLINE static void by_dup3(int *fds) {
  static int number = 300;
  fds[0] = kept(dup3(0, number++, O_CLOEXEC));
}
NOINLINE static void by_fcntl(int *fds) { fds[0] = kept(fcntl(0, F_DUPFD_CLOEXEC, 10)); }
NOINLINE static void by_socket(int *fds) { fds[0] = kept(socket(AF_INET, SOCK_STREAM, 0)); }
NOINLINE static void by_socketpair(int *fds) { (void)kept(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds)); }
NOINLINE static void by_pipe(int *fds) { (void)kept((int)syscall(SYS_pipe, fds)); }
NOINLINE static void by_pipe2(int *fds) { (void)kept(pipe2(fds, O_CLOEXEC)); }
NOINLINE static void by_eventfd(int *fds) { fds[0] = kept(eventfd(0, 0)); }
NOINLINE static void by_epoll(int *fds) { fds[0] = kept(epoll_create1(0)); }
NOINLINE static void by_memfd(int *fds) { fds[0] = kept(memfd_create("buffers", 0)); }
NOINLINE static void by_inotify(int *fds) { fds[0] = kept(inotify_init1(0)); }
NOINLINE static void by_fanotify(int *fds) { fds[0] = kept(fanotify_init(FAN_CLASS_NOTIF, 0)); }
NOINLINE static void by_signalfd(int *fds) {
  sigset_t none;
  sigemptyset(&none);
  fds[0] = kept(signalfd(-1, &none, 0));
  fail_unless(signalfd(fds[0], &none, 0) == fds[0]); /* opens nothing */
}
NOINLINE static void by_timerfd(int *fds) { fds[0] = kept(timerfd_create(CLOCK_MONOTONIC, 0)); }
NOINLINE static void by_userfaultfd(int *fds) { fds[0] = kept((int)syscall(SYS_userfaultfd, 1)); }
NOINLINE static void by_pidfd_open(int *fds) { fds[0] = kept((int)syscall(SYS_pidfd_open, getpid(), 0)); }
NOINLINE static void by_pidfd_getfd(int *fds) {
  int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  fds[0] = kept((int)syscall(SYS_pidfd_getfd_number, self, 0, 0));
  close(self);
}
NOINLINE static void by_perf_event(int *fds) {
  struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_TASK_CLOCK};
  fds[0] = kept((int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}
NOINLINE static void by_io_uring(int *fds) {
  struct io_uring_params parameters = {0};
  fds[0] = kept((int)syscall(SYS_io_uring_setup, 4, &parameters));
}

/* The client's end is the second one. */
NOINLINE static void by_accept(int *fds) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  fail_unless(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
  fail_unless(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  fds[1] = socket(AF_INET, SOCK_STREAM, 0);
  fail_unless(connect(fds[1], (struct sockaddr *)&address, size) == 0);
  fds[0] = kept(accept4(listener, NULL, NULL, 0));
  close(listener);
}

/* Two descriptors in one message, beside credentials. */
static void send_rights(int to) {
  union {
    char bytes[256];
    struct cmsghdr align;
  } control = {{0}};
  char byte = 'x';
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(2 * sizeof(int))};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(2 * sizeof(int));
  memcpy(CMSG_DATA(rights), (int[]){0, 0}, 2 * sizeof(int));
  fail_unless(sendmsg(to, &message, 0) == 1);
}
static void take_rights(struct msghdr *message, int *fds) {
  for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one))
    if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_RIGHTS) memcpy(fds, CMSG_DATA(one), 2 * sizeof(int));
}
static int *with_credentials(int pair[2]) {
  int yes = 1;
  fail_unless(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
  fail_unless(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0);
  send_rights(pair[0]);
  return pair;
}
NOINLINE static void by_recvmsg(int *fds) {
  int pair[2];
  char byte, control[256];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  with_credentials(pair);
  fail_unless(kept((int)recvmsg(pair[1], &message, 0)) == 1);
  take_rights(&message, fds);
  close_both(pair);
}
NOINLINE static void by_recvmmsg(int *fds) {
  int pair[2];
  char byte, control[256];
  struct iovec part = {&byte, 1};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control}};
  with_credentials(pair);
  fail_unless(kept(recvmmsg(pair[1], &message, 1, 0, NULL)) == 1);
  take_rights(&message.msg_hdr, fds);
  close_both(pair);
}
NOINLINE static int for_spawned(void) { return kept(open("/dev/null", O_RDONLY)); }

struct way {
  const char *name;
  void (*open)(int *fds);
};
#define OPENS_WAY_OF(function, kind, opening, descriptors) {#function, function},
static const struct way kWays[] = {OPENS_WAYS(OPENS_WAY_OF)};

#endif /* DWELL_TESTS_TARGETS_OPENS_BY_H */
