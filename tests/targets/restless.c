/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that never stays as it is, until it is told to. restless KIND [ROUND]: exec and thread become the same
 * program again and again, called by the first or by a second thread; fork makes child after child, and looks how
 * each has ended; work allocates, frees and reads clocks. A line on stdin: it says "KIND done" and stays; another
 * line, and it ends with its own status.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/targets/restless.h"

static char** arguments;

static void fail(const char* what) {
  dprintf(2, "restless: %s: %s\n", what, strerror(errno));
  _exit(RESTLESS_FAILED);
}

static void work(void) {
  struct timespec now;
  for (int i = 0; i < 200; ++i) {
    void* block = malloc(100 + i);
    __asm__ volatile("" ::"r"(block));
    free(block);
  }
  clock_gettime(CLOCK_REALTIME, &now);
}

static void* become_the_next(void* unused) {
  char round[32];
  snprintf(round, sizeof round, "%d", atoi(arguments[2]) + 1);
  char* next[] = {arguments[0], arguments[1], round, NULL};
  execv("/proc/self/exe", next);
  fail("exec");
  return unused;
}

static void exec_from_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, become_the_next, NULL)) fail("pthread_create");
  pthread_join(thread, NULL);
}

static void fork_one(void) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    work();
    _exit(RESTLESS_CHILD);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  errno = 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != RESTLESS_CHILD) fail("a child did not end by itself");
}

static int told_to_stop(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 1) > 0;
}

static void read_line(void) {
  char byte = 0;
  while (read(0, &byte, 1) == 1 && byte != '\n') continue;
}

int main(int argc, char** argv) {
  char* first[] = {argv[0], argc > 1 ? argv[1] : "work", "0", NULL};
  arguments = argc > 2 ? argv : first;
  if (argc <= 2) dprintf(1, "ready\n");
  while (!told_to_stop()) {
    work();
    if (!strcmp(arguments[1], "exec")) become_the_next(NULL);
    if (!strcmp(arguments[1], "thread")) exec_from_thread();
    if (!strcmp(arguments[1], "fork")) fork_one();
  }
  read_line();
  dprintf(1, "%s done\n", arguments[1]);
  read_line();
  return RESTLESS_STATUS;
}
