/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that never sleep. spinning SCENARIO: "spin": they wait for what nobody does: one for `ready`, one for `lock` with pauses in
 * between. "busy": each works on something. Prints "ready" and goes on until a line comes.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/targets/truth.h"

atomic_int ready, lock = 1;
static volatile uint64_t result;

SCENARIO static void wait_until_ready(void) {
  while (!atomic_load_explicit(&ready, memory_order_acquire)) __builtin_ia32_pause();
}

SCENARIO static void take_lock(void) {
  for (int expected = 0; !atomic_compare_exchange_weak(&lock, &expected, 1); expected = 0)
    for (int i = 0; i < 16; ++i) __builtin_ia32_pause();
}

SCENARIO static void draw_numbers(void) {
  for (uint64_t x = 88172645463325252ull;; result = x) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
}

SCENARIO static void add_up(void) {
  static uint64_t numbers[1 << 12];
  for (;;)
    for (int i = 0; i < 1 << 12; ++i) result += numbers[i]++;
}

struct counter { volatile uint64_t left; };
SCENARIO static void count_down(void) {
  struct counter* counter = malloc(sizeof *counter);
  for (counter->left = ~0ull; counter->left > 0;) --counter->left;
}

SCENARIO static void copy(void) {
  enum { SIZE = 1 << 16 };
  char *from = calloc(1, SIZE), *to = malloc(SIZE);
  for (;;) {
    memcpy(to, from, SIZE);
    result += (uint64_t)to[9];
  }
}

SCENARIO static void format(void) {
  char text[64];
  for (unsigned i = 0;; ++i) result += (uint64_t)snprintf(text, sizeof text, "%u of %x", i, i * 7);
}

static const struct {
  const char *scenario, *name;
  void (*run)(void);
} kThreads[] = {
    {"spin", "waiter", wait_until_ready}, {"spin", "locker", take_lock}, {"busy", "drawer", draw_numbers}, {"busy", "adder", add_up},
    {"busy", "counter", count_down}, {"busy", "copier", copy}, {"busy", "formatter", format},
};

static void* run(void* index) {
  pthread_setname_np(pthread_self(), kThreads[(uintptr_t)index].name);
  kThreads[(uintptr_t)index].run();
  return NULL;
}

int main(int argc, char** argv) {
  for (uintptr_t i = 0; i < sizeof kThreads / sizeof *kThreads; ++i) {
    pthread_t thread;
    if (argc > 1 && !strcmp(kThreads[i].scenario, argv[1])) pthread_create(&thread, NULL, run, (void*)i);
  }
  say("ready\n");
  wait_for_line();
  return 0;
}
