// SPDX-License-Identifier: Apache-2.0
// A process and its child that wait for each other, or only seem to: process_circles SCENARIO
// Says "child PID" before it begins to wait. The child ends with its parent.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static int data[2], answers[2], pair[2];

static void need(int condition) {
  if (!condition) abort();
}

NOINLINE static void child_fills_pipe(void) {
  static const char page[4096];
  for (;;) need(write(data[1], page, sizeof page) > 0);
}

NOINLINE static void parent_waits_for_child(pid_t child) { need(waitpid(child, NULL, 0) == child); }

static pid_t fork_child(void) {
  pid_t parent = getpid(), child = fork();
  need(child >= 0);
  if (child) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  prctl(PR_SET_NAME, "the_child");
  return 0;
}

static void tell(pid_t child) {
  printf("child %d\n", child);
  fflush(stdout);
}

/* The child, in each of the scenarios that are about a full pipe. */
static pid_t writer(void) {
  need(pipe(data) == 0);
  pid_t child = fork_child();
  if (!child) {
    close(data[0]);
    child_fills_pipe();
  }
  close(data[1]);
  return child;
}

static void full_pipe(void) {
  pid_t child = writer();
  tell(child);
  parent_waits_for_child(child);
}

/* Python and others handle SIGINT: that is no way on by itself. */
static void ignore(int number) { (void)number; }
static void interruptible(void) {
  signal(SIGINT, ignore);
  full_pipe();
}

/* A timer of its own may end the wait. */
static void alarmed(void) {
  signal(SIGALRM, ignore);
  full_pipe();
}

/* A third process has the reading end, too, and may read. */
static void also_read(void) {
  pid_t child = writer(), other = fork_child();
  if (!other)
    for (;;) pause();
  tell(child);
  parent_waits_for_child(child);
}

/* The reading end is also on its way in a socket: whoever receives it may read. */
static void in_flight(void) {
  pid_t child = writer();
  need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
  } control = {{0}};
  char byte = 0;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &data[0], sizeof(int));
  need(sendmsg(pair[0], &message, 0) == 1);
  tell(child);
  parent_waits_for_child(child);
}

/* The child has written what it has to say, and does something else for a time. */
static void not_full(void) {
  need(pipe(data) == 0);
  pid_t child = fork_child();
  if (!child) {
    need(write(data[1], "a", 1) == 1);
    for (;;) sleep(1000);
  }
  tell(child);
  parent_waits_for_child(child);
}

/* The parent waits for an answer, but not for ever. */
static void timed(void) {
  need(pipe(answers) == 0);
  pid_t child = writer();
  tell(child);
  struct pollfd one = {.fd = answers[0], .events = POLLIN};
  poll(&one, 1, 3600 * 1000);
}

/* Another thread of the parent waits for input from elsewhere, and may read the pipe then. */
static void *read_input(void *unused) {
  char byte;
  while (read(0, &byte, 1) == 1) {
  }
  return unused;
}
static void reader_thread(void) {
  pthread_t thread;
  need(pthread_create(&thread, NULL, read_input, NULL) == 0);
  full_pipe();
}

/* Two threads here, two there, and every one waits for another. */
static void *wait_for_ever(void *mutex) {
  pthread_mutex_lock(mutex);
  return mutex;
}
static void with_threads(void) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_t thread;
  pthread_mutex_lock(&mutex);
  pid_t child = writer();
  need(pthread_create(&thread, NULL, wait_for_ever, &mutex) == 0);
  tell(child);
  parent_waits_for_child(child);
}

/* Each waits for the other to say something. */
NOINLINE static void wait_for_word(int socket) {
  char byte;
  need(recv(socket, &byte, 1, 0) == 1);
}
static void sockets(void) {
  need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  pid_t child = fork_child();
  close(pair[child ? 1 : 0]);
  if (child) tell(child);
  wait_for_word(pair[child ? 0 : 1]);
}

/* The same, but one of them gives up after a while. */
static void timed_sockets(void) {
  need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  struct timeval hour = {3600, 0};
  need(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour) == 0);
  pid_t child = fork_child();
  close(pair[child ? 1 : 0]);
  if (child) tell(child);
  wait_for_word(pair[child ? 0 : 1]);
}

/* The child waits for its parent to count an eventfd up. */
static void event(void) {
  int counter = eventfd(0, 0);
  need(counter >= 0);
  pid_t child = fork_child();
  unsigned long value;
  if (!child) _exit(read(counter, &value, sizeof value) != sizeof value);
  tell(child);
  parent_waits_for_child(child);
}

/* The child wants a lock on a file that its parent holds, which waits for the child. */
static void file_lock(void) {
  int file = open("/proc/self/exe", O_RDONLY), shared = memfd_create("locked", 0);
  need(file >= 0 && shared >= 0);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  need(fcntl(shared, F_SETLK, &whole) == 0);
  pid_t child = fork_child();
  if (!child) {
    need(fcntl(shared, F_SETLKW, &whole) == 0);
    _exit(0);
  }
  tell(child);
  parent_waits_for_child(child);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } scenarios[] = {{"full_pipe", full_pipe},   {"interruptible", interruptible}, {"alarmed", alarmed},   {"also_read", also_read},
                   {"in_flight", in_flight},   {"not_full", not_full},           {"timed", timed},       {"reader_thread", reader_thread},
                   {"with_threads", with_threads}, {"sockets", sockets},         {"timed_sockets", timed_sockets}, {"file_lock", file_lock}, {"event", event}};
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    if (argc > 1 && !strcmp(scenarios[i].name, argv[1])) scenarios[i].run();
  return 2;
}
