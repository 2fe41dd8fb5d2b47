// SPDX-License-Identifier: Apache-2.0
// Its main thread ends, and another one goes on: /proc/PID of such a process shows no memory, no files and no program.
//   headless          the main thread ends first: "ready", a line, leaks, "done", reads clocks, a line, end
//   headless later    "ready", a line, leaks, "done", a line, the main thread ends, "alone", a line, leaks again, "done",
//                     a line, end
#include "headless.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_t main_thread;
static void *volatile kept;

__attribute__((noinline)) void leak_before(void) {
  for (int i = 0; i < BEFORE_BLOCKS; ++i) kept = malloc(BEFORE_BYTES);
}

__attribute__((noinline)) void leak_headless(void) {
  for (int i = 0; i < HEADLESS_BLOCKS; ++i) kept = malloc(HEADLESS_BYTES);
}

static void say(const char *text) {
  puts(text);
  fflush(stdout);
}

static void await_line(void) {
  char line[64];
  if (!fgets(line, sizeof line, stdin)) exit(1);
}

static int main_is_a_zombie(void) {
  char stat[512] = "";
  FILE *file = fopen("/proc/self/stat", "r");
  if (!file) return 0;
  size_t size = fread(stat, 1, sizeof stat - 1, file);
  fclose(file);
  return size > 0 && strstr(stat, ") Z ") != NULL;
}

static void *go_on(void *later) {
  if (later) {
    say("ready");
    await_line();
    leak_before();
    say("done");
    await_line();
    pthread_cancel(main_thread);
  }
  pthread_join(main_thread, NULL);
  while (!main_is_a_zombie()) usleep(1000);
  say(later ? "alone" : "ready");
  await_line();
  leak_headless();
  say("done");
  for (struct pollfd input = {.fd = 0, .events = POLLIN}; poll(&input, 1, 1) == 0;) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
  }
  exit(0);
}

int main(int argc, char **argv) {
  pthread_t thread;
  main_thread = pthread_self();
  if (pthread_create(&thread, NULL, go_on, argc > 1 ? argv : NULL) != 0) return 1;
  if (argc > 1) for (;;) pause();
  pthread_exit(NULL);
}
