// SPDX-License-Identifier: Apache-2.0
// thread_crowd N DEPTH: N threads that wait, each below DEPTH calls of its own, and one that counts. Each
// line of input is answered with the longest time, in microseconds, that the counting thread did not get to
// count since the last.
#include <stdatomic.h>

#include "tests/targets/scenario.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static atomic_ullong longest_gap_ns;
static atomic_int waiting;

static unsigned long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

NOINLINE static int wait_below(int depth) {
  if (depth > 0) return wait_below(depth - 1) + 1; /* not the last thing that it does, so the frame stays */
  pthread_mutex_lock(&lock);
  waiting++;
  while (waiting) pthread_cond_wait(&never, &lock);
  return 0;
}

static void *wait_for_ever(void *depth) { return (void *)(size_t)wait_below((int)(size_t)depth); }

static void *count(void *argument) {
  for (unsigned long long last = now_ns();;) {
    unsigned long long now = now_ns();
    if (now - last > longest_gap_ns) longest_gap_ns = now - last;
    last = now;
  }
  return argument;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 10000;
  size_t depth = argc > 2 ? (size_t)atoi(argv[2]) : 10;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  for (int i = 0; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &small, wait_for_ever, (void *)depth)) abort();
  }
  while (waiting < threads) usleep(1000);
  start(count, NULL, "counting");
  puts("ready");
  fflush(stdout);
  char line[16];
  longest_gap_ns = 0;
  while (fgets(line, sizeof line, stdin)) {
    printf("gap %.1f us\n", atomic_exchange(&longest_gap_ns, 0) / 1e3);
    fflush(stdout);
  }
  return 0;
}
