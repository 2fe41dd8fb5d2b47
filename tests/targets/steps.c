/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program whose rate of allocations goes up and down in steps: steps THREADS. Each thread allocates and frees 1,000, 10,000,
 * 100,000, a million times a second and as fast as it can, and back, four seconds each; then, in each second, for a tenth of it as
 * fast as it can. Half of its time up to a million it computes. Prints "ready", and begins with a line; ends after two rounds or
 * with the next line.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { STEP_NS = 1000000000, STEP_SECONDS = 4, SLICE_NS = 1000000 };
static const double per_second[] = {1e3, 1e4, 1e5, 1e6, 1e8, 1e6, 1e5, 1e4, -1, -1};
enum { STEPS = sizeof per_second / sizeof *per_second, ROUNDS = 2 };

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t started_ns;
static volatile uint64_t numbers;

__attribute__((noinline)) static void allocate(void) {
  void* volatile block = malloc(64);
  free(block);
}

static void* work(void* unused) {
  double owed = 0;
  for (uint64_t slice = 0;; ++slice) {
    uint64_t begins_ns = started_ns + slice * SLICE_NS, step = slice / 1000 / STEP_SECONDS;
    if (step >= STEPS * ROUNDS) return unused;
    double rate = per_second[step % STEPS];
    if (rate < 0) rate = slice % 1000 < 100 ? 1e8 : 0; /* a burst */
    uint64_t now = now_ns();
    if (now < begins_ns) {
      struct timespec rest = {0, (long)(begins_ns - now)};
      nanosleep(&rest, NULL);
    }
    uint64_t until_ns = begins_ns + SLICE_NS;
    for (owed = owed > 1000 ? 1000 : owed, owed += rate / 1000; owed >= 1 && now_ns() < until_ns; --owed) allocate();
    for (until_ns -= SLICE_NS / 2; now_ns() < until_ns;) numbers = numbers * 6364136223846793005u + 1;
  }
}

int main(int argc, char** argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1;
  pthread_t thread;
  char line[16];
  puts("ready");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return 1;
  started_ns = now_ns();
  for (int i = 0; i < threads; ++i)
    if (pthread_create(&thread, NULL, work, NULL)) abort();
  (void)!fgets(line, sizeof line, stdin);
  return 0;
}
