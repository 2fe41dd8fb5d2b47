// SPDX-License-Identifier: Apache-2.0
// Creates threads in several ways: "ready", a line, "done", a line, end.
#include "tests/targets/thread_makers.h"

#include <dirent.h>

#include "tests/targets/scenario.h"

NOINLINE static void *end_at_once(void *argument) { return argument; }

NOINLINE static void *stay(void *argument) {
  pause();
  return argument;
}

NOINLINE static void make_joined(void) {
  for (int i = 0; i < MADE_JOINED; i++) pthread_join(start(end_at_once, NULL, "joined"), NULL);
}

static pthread_t create(void *(*routine)(void *), const pthread_attr_t *attributes) {
  pthread_t thread;
  if (pthread_create(&thread, attributes, routine, NULL)) abort();
  return thread;
}

NOINLINE static void make_unjoined(void) {
  for (int i = 0; i < MADE_UNJOINED; i++) create(end_at_once, NULL);
}

NOINLINE static void make_detached(void) {
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  for (int i = 0; i < MADE_DETACHED; i++) create(end_at_once, &detached);
}

NOINLINE static void make_detached_later(void) {
  for (int i = 0; i < MADE_DETACHED_LATER; i++) pthread_detach(create(end_at_once, NULL));
}

NOINLINE static void make_alive(void) {
  for (int i = 0; i < MADE_ALIVE; i++) create(stay, NULL);
}

static int threads_there(void) {
  DIR *tasks = opendir("/proc/self/task");
  int count = -2; /* "." and ".." */
  while (readdir(tasks)) count++;
  closedir(tasks);
  return count;
}

static void wait_for_line(void) {
  char line[16];
  if (!fgets(line, sizeof line, stdin)) exit(0);
}

int main(void) {
  puts("ready");
  fflush(stdout);
  wait_for_line();
  make_joined();
  make_unjoined();
  make_detached();
  make_detached_later();
  make_alive();
  while (threads_there() > 1 + MADE_ALIVE) usleep(1000);
  puts("done");
  fflush(stdout);
  wait_for_line();
  return 0;
}
