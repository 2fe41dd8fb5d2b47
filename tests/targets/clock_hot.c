/* SPDX-License-Identifier: Apache-2.0 */
/* Does nothing but read the clock, and tells how often it did: a line "READS NANOSECONDS" for each tenth of a
 * second. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

__attribute__((noinline)) static void read_hotly(long times) {
  struct timespec time;
  for (long i = 0; i < times; i++) clock_gettime(CLOCK_REALTIME, &time);
}

int main(int count, char **arguments) {
  long end = now(CLOCK_MONOTONIC) + (count > 1 ? atol(arguments[1]) : 5) * 1000000000L;
  puts("ready");
  while (now(CLOCK_MONOTONIC) < end) {
    long start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID), reads = 0, took;
    do {
      read_hotly(50000);
      reads += 50000;
      took = now(CLOCK_MONOTONIC) - start;
    } while (took < 100000000);
    printf("%ld %ld %ld\n", reads, took, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    fflush(stdout);
  }
  return 0;
}
