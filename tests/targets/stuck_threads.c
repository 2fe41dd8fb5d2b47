// SPDX-License-Identifier: Apache-2.0
// Threads that wait, one scenario a run: stuck_threads SCENARIO. Says "ready" when all of them do, and ends
// with its input.
#include "tests/targets/stuck_threads.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/targets/scenario.h"

/* ---- what a thread can wait for besides locks ---- */

NOINLINE static void *wait_in_read(void *fd) {
  char byte;
  if (read(*(int *)fd, &byte, 1) != 1) abort();
  return fd;
}

NOINLINE static void *wait_in_poll(void *fd) {
  struct pollfd one = {.fd = *(int *)fd, .events = POLLIN};
  poll(&one, 1, POLL_MILLISECONDS);
  return fd;
}

NOINLINE static void *wait_in_epoll(void *fd) {
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, *(int *)fd, &event);
  epoll_wait(epoll, &event, 1, -1);
  return fd;
}

NOINLINE static void *wait_in_select(void *fd) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(*(int *)fd, &set);
  select(*(int *)fd + 1, &set, NULL, NULL, NULL);
  return fd;
}

NOINLINE static void *wait_in_sleep(void *argument) {
  sleep(SLEEP_SECONDS);
  return argument;
}

NOINLINE static void *wait_in_accept(void *fd) {
  accept(*(int *)fd, NULL, NULL);
  return fd;
}

NOINLINE static void *wait_in_recv(void *fd) {
  char byte;
  recv(*(int *)fd, &byte, 1, 0);
  return fd;
}

NOINLINE static void *wait_in_flock(void *path) {
  flock(open(path, O_RDWR), LOCK_EX);
  return path;
}

NOINLINE static void *wait_for_child(void *argument) {
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pause();
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  return argument;
}

NOINLINE static void *wait_for_signal(void *argument) {
  pause();
  return argument;
}

static void scenario_waits(void) {
  static int pipes[2], event, listener, client, locked;
  static char path[] = "/tmp/stuck_threads.XXXXXX";
  if (pipe(pipes)) abort();
  event = eventfd(0, 0);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1)) abort();
  getsockname(listener, (struct sockaddr *)&address, &size);
  client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(client, (struct sockaddr *)&address, size) || accept(listener, NULL, NULL) < 0) abort();
  locked = mkstemp(path);
  flock(locked, LOCK_EX);
  start(wait_in_read, &pipes[0], "in_read");
  start(wait_in_poll, &event, "in_poll");
  start(wait_in_epoll, &event, "in_epoll");
  start(wait_in_select, &pipes[0], "in_select");
  start(wait_in_sleep, NULL, "in_sleep");
  start(wait_in_accept, &listener, "in_accept");
  start(wait_in_recv, &client, "in_recv");
  start(wait_in_flock, path, "in_flock");
  start(wait_for_child, NULL, "in_wait");
  start(wait_for_signal, NULL, "in_pause");
  printf("port %d pipe %d event %d file %s\n", ntohs(address.sin_port), pipes[0], event, path);
}

/* ---- idle workers ---- */

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;

NOINLINE static void *idle_worker(void *argument) {
  pthread_mutex_lock(&queue_lock);
  for (;;) pthread_cond_wait(&queue_filled, &queue_lock);
  return argument;
}

static void scenario_idle_pool(void) {
  for (int i = 0; i < IDLE_WORKERS; i++) start(idle_worker, NULL, "worker");
}

/* ---- one that doesn't wait ---- */

NOINLINE static void *spin(void *argument) {
  for (volatile unsigned long i = 0;; i++) {
  }
  return argument;
}

NOINLINE static void *read_zeros(void *argument) {
  static char zeros[1 << 20];
  int fd = open("/dev/zero", O_RDONLY);
  while (read(fd, zeros, sizeof zeros) > 0) continue;
  return argument;
}

static void scenario_running(void) { start(spin, NULL, "spinner"); }
static void scenario_running_in_kernel(void) { start(read_zeros, NULL, "spinner"); }

/* ---- one that sleeps over and over ---- */

NOINLINE static void *nap(void *argument) {
  struct timespec moment = {0, NAP_MILLISECONDS * 1000000};
  for (;;) nanosleep(&moment, NULL);
  return argument;
}

static void scenario_naps(void) {
  start(nap, NULL, "napping");
  scenario_idle_pool();
}

/* ---- woken up by a thread of their own, by one through a socket, and by another process ---- */

static int by_thread[2], by_process[2], by_socket[2];

NOINLINE static void read_for_ever(int fd) {
  char byte;
  while (read(fd, &byte, 1) == 1) continue;
}

NOINLINE static void *woken_by_thread(void *argument) {
  read_for_ever(by_thread[0]);
  return argument;
}

NOINLINE static void *woken_by_process(void *argument) {
  read_for_ever(by_process[0]);
  return argument;
}

NOINLINE static void *woken_by_socket(void *argument) {
  read_for_ever(by_socket[0]);
  return argument;
}

NOINLINE static void *wake_threads(void *argument) {
  struct timespec moment = {0, NAP_MILLISECONDS * 1000000};
  while (write(by_thread[1], "", 1) == 1 && write(by_socket[1], "", 1) == 1) nanosleep(&moment, NULL);
  return argument;
}

static void scenario_wakes(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1)) abort();
  getsockname(listener, (struct sockaddr *)&address, &size);
  by_socket[1] = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(by_socket[1], (struct sockaddr *)&address, size)) abort();
  by_socket[0] = accept(listener, NULL, NULL);
  if (pipe(by_thread) || pipe(by_process)) abort();
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, WAKING_PROCESS);
    struct timespec moment = {0, NAP_MILLISECONDS * 1000000};
    while (write(by_process[1], "", 1) == 1) nanosleep(&moment, NULL);
    _exit(0);
  }
  start(woken_by_thread, NULL, "by_thread");
  start(woken_by_process, NULL, "by_process");
  start(woken_by_socket, NULL, "by_socket");
  start(wake_threads, NULL, "waker");
}

/* ---- threads that come and go ---- */

NOINLINE static void *end_soon(void *argument) { return argument; }

NOINLINE static void *start_and_join(void *argument) {
  for (;;) pthread_join(start(end_soon, NULL, "soon"), NULL);
  return argument;
}

static void scenario_churn(void) {
  for (int i = 0; i < CHURNING; i++) start(start_and_join, NULL, "churning");
}

/* ---- all of them ---- */

static const struct scenario scenarios[] = {
    {"waits", scenario_waits, 0, NULL},     {"idle_pool", scenario_idle_pool, 0, NULL},
    {"running", scenario_running, 1, NULL}, {"running_in_kernel", scenario_running_in_kernel, 1, NULL},
    {"churn", scenario_churn, 1, NULL},     {"naps", scenario_naps, 0, NULL},
    {"wakes", scenario_wakes, 0, NULL}};

SCENARIO_MAIN
