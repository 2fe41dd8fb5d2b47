/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the targets of the memory tests have in common. A target says "ready", waits for a line, runs its
 * scenario in functions of their own, says "done", waits for a line, and ends.
 *
 * The truth is written once: a header lists the functions of a target with what each of them keeps, the
 * target makes its table of functions of the list, and the test its table of expectations.
 *
 * Nothing here allocates, so that what the report shows is what the scenario did, and no more.
 */
#ifndef DWELL_TESTS_TARGETS_TRUTH_H
#define DWELL_TESTS_TARGETS_TRUTH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In a frame of its own whatever the optimizer thinks of it. */
#define SCENARIO __attribute__((noipa))

#define MAX_KEPT 65536
extern void* volatile truth_kept[MAX_KEPT];
extern unsigned truth_kept_count;

static inline void say(const char* text) {
  if (write(1, text, strlen(text)) < 0) _exit(3);
}

static inline void wait_for_line(void) {
  char c = 0;
  while (c != '\n')
    if (read(0, &c, 1) != 1) _exit(4);
}

/* Ends the target if it does not do what the test is about. */
static inline void check(int holds, const char* what) {
  if (holds) return;
  if (write(2, what, strlen(what)) < 0 || write(2, "\n", 1) < 0) _exit(3);
  _exit(2);
}

/* Called after each allocation too, so that no call of an allocation function is a tail call. */
static inline void* keep(void* block) {
  check(block != NULL, "an allocation failed");
  truth_kept[truth_kept_count++ % MAX_KEPT] = block;
  return block;
}

/* Keeps the compiler from following a pointer or a size. */
static inline void* opaque(void* block) {
  __asm__ volatile("" : "+r"(block));
  return block;
}
static inline size_t opaque_size(size_t size) {
  __asm__ volatile("" : "+r"(size));
  return size;
}

#define DEFINE_MAIN(scenario) \
  int main(void) {             \
    say("ready\n");           \
    wait_for_line();           \
    scenario();                \
    say("done\n");            \
    wait_for_line();           \
    return 0;                  \
  }                            \
  _Static_assert(1, "")

#define DEFINE_TRUTH()                \
  void* volatile truth_kept[MAX_KEPT]; \
  unsigned truth_kept_count

#endif
