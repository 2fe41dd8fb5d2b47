// SPDX-License-Identifier: Apache-2.0
// Opens and closes descriptors, in one of these ways: opens calls | exec | storm | leak | left | fork | own_table
// "ready"; a line; what it does; "done"; a line; the end.
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/targets/opens.h"
#include "tests/targets/opens_by.h"

static void wait_for_line(void) {
  char line[16];
  (void)!fgets(line, sizeof line, stdin);
}

static void say(const char *word) {
  puts(word);
  fflush(stdout);
}

/* Each call of `opens_by.h`, and what goes with it. */
NOINLINE static int for_close_range(void) { return kept(fcntl(0, F_DUPFD, 400)); } /* next to each other */
NOINLINE static int to_be_replaced(void) { return kept(open("/dev/null", O_RDONLY)); }

static void run_calls(void) {
  for (size_t i = 0; i < sizeof kWays / sizeof *kWays; i++) {
    for (int time = 0; time < OPENS_TIMES; time++) {
      int fds[2] = {-1, -1};
      kWays[i].open(fds);
      if (fds[0] < 0) {
        printf("without %s\n", kWays[i].name);
        break;
      }
      if (time < OPENS_TIMES - OPENS_KEPT) close_both(fds);
    }
  }
  int first = for_close_range(), last = first;
  for (int i = 1; i < OPENS_RANGE; i++) last = for_close_range();
  fail_unless(last - first == OPENS_RANGE - 1 && syscall(SYS_close_range_number, first, last, 0) == 0);
  for (int i = 0; i < OPENS_REPLACED; i++) fail_unless(dup2(0, to_be_replaced()) >= 0);
  int spawned[OPENS_SPAWNED];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < OPENS_SPAWNED; i++) posix_spawn_file_actions_addclose(&actions, spawned[i] = for_spawned());
  pid_t child;
  char *command[] = {"true", NULL}, *nothing[] = {NULL};
  fail_unless(posix_spawn(&child, "/bin/true", &actions, NULL, command, nothing) == 0 && waitpid(child, NULL, 0) == child);
}

NOINLINE static int closed_by_exec(void) { return kept(open("/dev/null", O_RDONLY | O_CLOEXEC)); }
NOINLINE static int kept_by_exec(void) { return kept(open("/dev/null", O_RDONLY)); }

static void run_exec(const char *self) {
  for (int i = 0; i < OPENS_CLOSED_BY_EXEC; i++) closed_by_exec();
  for (int i = 0; i < OPENS_KEPT_BY_EXEC; i++) kept_by_exec();
  execl(self, self, "after_exec", NULL);
  abort();
}

NOINLINE static int in_the_storm(void) { return kept(open("/dev/null", O_RDONLY)); }
static void *storm(void *argument) {
  for (int i = 0; i < OPENS_STORM_TIMES; i++) {
    int fd = in_the_storm();
    if (i % 8 == 0) dup2(0, fd);
    close(fd);
  }
  in_the_storm();
  return argument;
}

static void run_storm(void) {
  pthread_t threads[OPENS_STORM_THREADS];
  for (int i = 0; i < OPENS_STORM_THREADS; i++) pthread_create(&threads[i], NULL, storm, NULL);
  for (int i = 0; i < OPENS_STORM_THREADS; i++) pthread_join(threads[i], NULL);
}

/* Until a line comes: one in a thousand is forgotten. Beside it a cache in equilibrium, and a pool that is filled at the start. */
NOINLINE static int forgets_one(void) { return kept(open("/dev/null", O_RDONLY)); }
NOINLINE static int fills_pool(void) { return kept(open("/dev/null", O_RDONLY)); }
NOINLINE static int caches(void) { return kept(open("/dev/null", O_RDONLY)); }

static void *leaking(void *argument) {
  const struct timespec pause = {0, 1000000};
  int cache[OPENS_CACHE], cached = 0;
  for (int i = 0; i < OPENS_POOL; i++) fills_pool();
  for (int turn = 0;; turn++) {
    for (int i = 0; i < 3; i++) {
      int fd = forgets_one();
      if ((turn * 3 + i) % 1000) close(fd);
    }
    if (turn % 20 == 0) {
      if (cached >= OPENS_CACHE) close(cache[cached % OPENS_CACHE]);
      cache[cached++ % OPENS_CACHE] = caches();
    }
    nanosleep(&pause, NULL);
  }
  return argument;
}

static void run_leak(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, leaking, NULL);
  say("leaking");
}

static void run_left(void) {
  for (int i = 0; i < OPENS_LEFT; i++) {
    int fds[2];
    by_accept(fds);
    close(fds[1]);
  }
}

NOINLINE static int by_parent(void) { return kept(open("/dev/null", O_RDONLY)); }
NOINLINE static int by_child(void) { return kept(open("/dev/null", O_RDONLY)); }

/* The child begins with a line: it may have to be followed first. */
static void run_fork(void) {
  int first = by_parent(), pipes[2];
  by_parent();
  fail_unless(pipe2(pipes, O_CLOEXEC) == 0);
  pid_t child = fork();
  if (child) {
    printf("child %d\n", child);
    fflush(stdout);
    close(pipes[1]);
    char byte;
    fail_unless(read(pipes[0], &byte, 1) == 1);
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  wait_for_line();
  close(first);
  close(by_child());
  by_child();
  fail_unless(write(pipes[1], "x", 1) == 1);
  pause();
}

NOINLINE static int in_own_table(void) { return kept(open("/dev/null", O_RDONLY)); }
static void *with_own_table(void *argument) {
  fail_unless(unshare(CLONE_FILES) == 0);
  in_own_table();
  return argument;
}
static void run_own_table(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, with_own_table, NULL);
  pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
  const char *way = argc > 1 ? argv[1] : "";
  if (strcmp(way, "after_exec")) {
    say("ready");
    wait_for_line();
  }
  if (!strcmp(way, "calls")) run_calls();
  if (!strcmp(way, "exec")) run_exec(argv[0]);
  if (!strcmp(way, "storm")) run_storm();
  if (!strcmp(way, "leak")) run_leak();
  if (!strcmp(way, "left")) run_left();
  if (!strcmp(way, "fork")) run_fork();
  if (!strcmp(way, "own_table")) run_own_table();
  say("done");
  wait_for_line();
  return 0;
}
