// SPDX-License-Identifier: Apache-2.0
// Holds descriptors, in one of these ways: descriptors near-limit | left | closed | shared | kinds FOLDER
#define _GNU_SOURCE
#include "tests/targets/descriptors.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail_unless(int condition) {
  if (!condition) abort();
}

/* All but a few of those that it may open. */
static void near_limit(void) {
  struct rlimit limit = {DESCRIPTORS_LIMIT, DESCRIPTORS_LIMIT};
  fail_unless(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  while (dup(0) < DESCRIPTORS_LIMIT - 10) {
  }
}

/* Connections that the other side has closed, and this one has not, unless it is told to. */
static void connections(int close_both) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  fail_unless(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, DESCRIPTORS_LEFT) == 0);
  fail_unless(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  for (int i = 0; i < DESCRIPTORS_LEFT; i++) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    fail_unless(connect(client, (struct sockaddr *)&address, size) == 0);
    int accepted = accept(listener, NULL, NULL);
    fail_unless(accepted >= 0 && close(client) == 0);
    char byte;
    fail_unless(read(accepted, &byte, 1) == 0);
    if (close_both) close(accepted);
  }
}

/* One descriptor, as the test expects it. */
static void tell(int fd, const char *kind) {
  fail_unless(fd >= 0);
  printf("fd %d %s\n", fd, kind);
}

static void tell_files(const char *folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/file", folder);
  int file = open(path, O_RDWR | O_CREAT, 0600);
  tell(file, "file");
  struct flock part = {
      .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = DESCRIPTORS_LOCKED_FROM, .l_len = 10};
  struct flock rest = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100};
  fail_unless(fcntl(file, F_SETLK, &part) == 0 && fcntl(file, F_OFD_SETLK, &rest) == 0);
  snprintf(path, sizeof path, "%s/deleted", folder);
  int deleted = open(path, O_RDWR | O_CREAT, 0600);
  fail_unless(ftruncate(deleted, DESCRIPTORS_DELETED_BYTES) == 0 && unlink(path) == 0);
  fail_unless(flock(deleted, LOCK_EX) == 0);
  tell(deleted, "deleted file");
  tell(open(folder, O_RDONLY | O_DIRECTORY), "directory");
  tell(open("/dev/null", O_RDWR), "character device");
  snprintf(path, sizeof path, "%s/fifo", folder);
  fail_unless(mkfifo(path, 0600) == 0);
  tell(open(path, O_RDWR), "FIFO");
  int memfd = memfd_create("buffers", 0);
  fail_unless(ftruncate(memfd, DESCRIPTORS_MEMFD_BYTES) == 0);
  tell(memfd, "memfd");
  int pipes[2];
  fail_unless(pipe(pipes) == 0);
  tell(pipes[0], "pipe");
  tell(pipes[1], "pipe");
  char name[64];
  snprintf(name, sizeof name, "/dwell-test-%d", getpid());
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
  if (queue < 0) return; /* this kernel has none */
  mq_unlink(name);
  /* Its link says "(deleted)" now, and it is a queue all the same. */
  tell(queue, "message queue");
}

static void tell_events(void) {
  int event = eventfd(DESCRIPTORS_EVENT_COUNT, 0), pipes[2];
  tell(event, "eventfd");
  fail_unless(pipe(pipes) == 0);
  int epoll = epoll_create1(0);
  struct epoll_event none = {0};
  fail_unless(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &none) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, event, &none) == 0);
  tell(epoll, "epoll");
  int inotify = inotify_init();
  fail_unless(inotify_add_watch(inotify, "/", IN_CREATE) >= 0);
  tell(inotify, "inotify");
  tell(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd");
  sigset_t signals;
  sigemptyset(&signals);
  tell(signalfd(-1, &signals, 0), "signalfd");
  tell((int)syscall(SYS_pidfd_open, getpid(), 0), "pidfd");
  struct io_uring_params parameters = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
  if (ring >= 0) tell(ring, "io_uring");
  int faults = (int)syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
  if (faults >= 0) tell(faults, "userfaultfd");
}

static void tell_sockets(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  fail_unless(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, DESCRIPTORS_BACKLOG) == 0);
  fail_unless(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  int client = socket(AF_INET, SOCK_STREAM, 0), waiting = socket(AF_INET, SOCK_STREAM, 0);
  fail_unless(connect(client, (struct sockaddr *)&address, size) == 0);
  int accepted = accept(listener, NULL, NULL);
  fail_unless(connect(waiting, (struct sockaddr *)&address, size) == 0);
  fail_unless(write(client, "12345", DESCRIPTORS_UNREAD) == DESCRIPTORS_UNREAD);
  printf("port %d\n", ntohs(address.sin_port));
  tell(listener, "listener");
  tell(client, "client");
  tell(accepted, "accepted");
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  address.sin_port = 0;
  fail_unless(bind(udp, (struct sockaddr *)&address, sizeof address) == 0);
  tell(udp, "UDP");
  int pair[2];
  fail_unless(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  fail_unless(write(pair[0], "123", 3) == 3);
  tell(pair[0], "pair");
  tell(pair[1], "pair");
  int named = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "dwell-test-%d", getpid());
  fail_unless(bind(named, (struct sockaddr *)&name, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)length)) == 0);
  tell(named, "named");
  int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  struct sockaddr_nl ours = {.nl_family = AF_NETLINK};
  fail_unless(bind(netlink, (struct sockaddr *)&ours, sizeof ours) == 0);
  tell(netlink, "netlink");
}

/* A child that writes into a pipe, which only this process reads, and shares a socket and an eventfd with it. */
static pid_t share(void) {
  int pipes[2], event = eventfd(1, 0), listener = socket(AF_UNIX, SOCK_STREAM, 0);
  fail_unless(pipe(pipes) == 0);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  fail_unless(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)) == 0 && listen(listener, 1) == 0);
  pid_t child = fork();
  if (child == 0) {
    close(pipes[0]);
    pause();
    _exit(0);
  }
  close(pipes[1]);
  printf("child %d pipe %d event %d listener %d\n", child, pipes[0], event, listener);
  return child;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "near-limit")) near_limit();
  if (!strcmp(what, "left")) connections(0);
  if (!strcmp(what, "closed")) connections(1);
  if (!strcmp(what, "kinds")) {
    tell_files(argv[2]);
    tell_events();
    tell_sockets();
  }
  pid_t child = !strcmp(what, "shared") ? share() : 0;
  puts("ready");
  fflush(stdout);
  getchar();
  if (child > 0 && kill(child, SIGKILL) == 0) waitpid(child, NULL, 0);
  return 0;
}
