/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that do nothing but map memory, touch each page and unmap it: fault_storm THREADS [PAGES]. Prints "ready", and at the end
 * of its input how many pages it touched, and how much CPU time it took for that. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/targets/scenario.h"

enum { PAGE = 4096 };
static int pages = 256; /* that a thread maps at once */
static atomic_long touched;

NOINLINE static void map_touch_unmap(void) {
  volatile char *memory = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < pages; i++) memory[(size_t)i * PAGE] = 1;
  munmap((void *)memory, (size_t)pages * PAGE);
  touched += pages;
}

static void *storm(void *unused) {
  (void)unused;
  for (;;) map_touch_unmap();
  return NULL;
}

static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Each line of input: how many pages so far, and the CPU time. */
int main(int argc, char **argv) {
  char line[16];
  if (argc > 2) pages = atoi(argv[2]);
  for (int i = argc > 1 ? atoi(argv[1]) : 4; i > 0; i--) start(storm, NULL, "storm");
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    printf("touched %ld pages in %.6f s\n", (long)touched, cpu_seconds());
    fflush(stdout);
  }
  return 0;
}
