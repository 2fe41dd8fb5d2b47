// SPDX-License-Identifier: Apache-2.0
// switch_load DEPTH [WORK]: two threads that hand a byte to and fro through pipes, so that each handover is a
// wait, a wake-up and a switch. Each stands below DEPTH calls, and counts to WORK before it hands the byte
// on. Each line of input is answered with the nanoseconds that a handover took, over half a second.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int to[2], fro[2];
static long work;
static atomic_ulong handovers;

static void hand_over(int from, int into) {
  char byte;
  while (read(from, &byte, 1) == 1) {
    for (volatile long i = 0; i < work; i++) {
    }
    handovers++;
    if (write(into, &byte, 1) != 1) abort();
  }
}

__attribute__((noinline)) static int below(int depth, int from, int into) {
  if (depth > 0) return below(depth - 1, from, into) + 1;
  hand_over(from, into);
  return 0;
}

static void *back(void *depth) {
  below((int)(size_t)depth, to[0], fro[1]);
  return depth;
}
static void *forth(void *depth) {
  below((int)(size_t)depth, fro[0], to[1]);
  return depth;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv) {
  size_t depth = argc > 1 ? (size_t)atoi(argv[1]) : 10;
  work = argc > 2 ? atol(argv[2]) : 0;
  pthread_t one, other;
  if (pipe(to) || pipe(fro) || pthread_create(&one, NULL, back, (void *)depth) ||
      pthread_create(&other, NULL, forth, (void *)depth) || write(to[1], "", 1) != 1)
    abort();
  for (char line[16]; fgets(line, sizeof line, stdin);) {
    struct timespec half = {0, 500000000};
    unsigned long before = handovers;
    double start = now();
    nanosleep(&half, NULL);
    printf("%.0f\n", (now() - start) / (double)(handovers - before));
    fflush(stdout);
  }
  return 0;
}
