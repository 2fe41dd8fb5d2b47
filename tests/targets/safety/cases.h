/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of this folder are several cases each: PROGRAM CASE. A case does one thing that a tracer could
 * break, and says how it came out. It is done once, or again and again for DWELL_CASE_MS milliseconds, and must
 * come out the same each time. With DWELL_CASE_GATE set the program says "ready" on its standard error, and
 * waits for a byte, before it begins.
 */
#ifndef DWELL_TARGETS_SAFETY_CASES_H
#define DWELL_TARGETS_SAFETY_CASES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct safety_case {
  const char *name;
  const char *(*run)(void);
};

static void *volatile safety_kept; /* so that no allocation is optimized away */
static inline void *keep(void *block) {
  safety_kept = block;
  return block;
}

static inline long long safety_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static inline void safety_gate(void) {
  char byte;
  if (!getenv("DWELL_CASE_GATE")) return;
  if (write(2, "ready\n", 6) != 6 || read(0, &byte, 1) != 1) _exit(99);
}

static inline int run_cases(int argc, char **argv, const struct safety_case *cases, int count) {
  for (int i = 0; i < count; i++) {
    if (argc < 2 || strcmp(argv[1], cases[i].name) != 0) continue;
    const char *length = getenv("DWELL_CASE_MS");
    safety_gate();
    long long end = safety_now_ms() + (length ? atoi(length) : 0);
    const char *first = cases[i].run();
    while (safety_now_ms() < end) {
      const char *again = cases[i].run();
      if (strcmp(first, again) == 0) continue;
      printf("first %s, then %s\n", first, again);
      return 1;
    }
    puts(first);
    return 0;
  }
  fputs("no such case\n", stderr);
  return 98;
}

#define RUN_CASES(argc, argv, cases) run_cases(argc, argv, cases, (int)(sizeof(cases) / sizeof((cases)[0])))

#endif /* DWELL_TARGETS_SAFETY_CASES_H */
