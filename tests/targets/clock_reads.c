/* SPDX-License-Identifier: Apache-2.0 */
/* Reads clocks in every way, as often as clock_reads.h says, between two lines on standard input. */
#define _GNU_SOURCE
#include "tests/targets/clock_reads.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct timeb;
int ftime(struct timeb *) __attribute__((weak)); /* only libraries for old programs have it still */

static struct timespec now;
static struct timeval day;
static char old[64];

#define READER(name, read)                                \
  __attribute__((noinline)) static void name(int times) { \
    for (int i = 0; i < times; i++) read;                 \
    __asm__ volatile("" ::: "memory"); /* no tail call */ \
  }

READER(read_realtime, clock_gettime(CLOCK_REALTIME, &now))
READER(read_monotonic, clock_gettime(CLOCK_MONOTONIC, &now))
READER(read_coarse, clock_gettime(CLOCK_REALTIME_COARSE, &now))
READER(read_boottime, clock_gettime(CLOCK_BOOTTIME, &now))
READER(read_cpu_time, clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now))
READER(read_timespec_get, timespec_get(&now, TIME_UTC))
READER(read_by_system_call, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now))
READER(read_ftime, if (ftime) ftime((struct timeb *)old))
READER(read_timeofday, gettimeofday(&day, NULL))
READER(read_time, time(NULL))

#define CALL(function, clock, times) function(times);

int main(void) {
  char line[16];
  puts("ready");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return 1;
  CLOCK_READS(CALL)
  CHOSEN_CLOCK_READS(CALL)
  puts("done");
  fflush(stdout);
  return fgets(line, sizeof line, stdin) ? 0 : 1;
}
