/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that change hands: threads that end, that free what others took, all at once and interrupted. */
#define _GNU_SOURCE
#include "tests/targets/threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

static void run_workers(void* (*work)(void*)) {
  pthread_t workers[WORKERS];
  for (long i = 0; i < WORKERS; ++i) check(pthread_create(&workers[i], NULL, work, (void*)i) == 0, "no thread");
  for (int i = 0; i < WORKERS; ++i) pthread_join(workers[i], NULL);
}

/* ---- threads that end ---- */

static void* volatile left_behind[WORKERS][100];
SCENARIO void* keep_in_ended_thread(void* worker) {
  for (int i = 0; i < 100; ++i) left_behind[(long)worker][i] = malloc(48);
  return NULL;
}

/* ---- blocks that another thread frees ---- */

static void* volatile handed_over[WORKERS][500];
SCENARIO void* allocate_for_another(void* worker) {
  for (int i = 0; i < 500; ++i) handed_over[(long)worker][i] = malloc(100 + i);
  return NULL;
}
SCENARIO void* free_of_another(void* worker) {
  for (int i = 0; i < 500; ++i) free(handed_over[((long)worker + 1) % WORKERS][i]);
  return NULL;
}

/* ---- at full speed ---- */

static _Atomic(void*) slots[SLOTS];

static unsigned random_of(unsigned* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void check_filled(void) {
  for (int i = 0; i < SLOTS; ++i) check(slots[i] != NULL, "a slot was never filled");
}

/* The address that one thread frees is given to another at once. */
SCENARIO void* exchange_blocks(void* worker) {
  unsigned state = 1 + (long)worker;
  for (int i = 0; i < EXCHANGES; ++i) free(atomic_exchange(&slots[random_of(&state) % SLOTS], malloc(40)));
  return NULL;
}

static _Atomic(void*) resized[SLOTS];
SCENARIO void* resize_blocks(void* worker) {
  unsigned state = 100 + (long)worker;
  for (int i = 0; i < EXCHANGES; ++i) {
    void* block = atomic_exchange(&resized[random_of(&state) % SLOTS], NULL);
    block = realloc(block, 1 + random_of(&state) % 3000);
    free(atomic_exchange(&resized[random_of(&state) % SLOTS], block));
  }
  return NULL;
}
SCENARIO void settle_sizes(void) {
  for (int i = 0; i < SLOTS; ++i) resized[i] = realloc(resized[i], 64);
}

SCENARIO void* map_and_unmap(void* worker) {
  (void)worker;
  for (int i = 0; i < MAPPINGS; ++i) {
    void* mapped = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(mapped, 16384);
  }
  return NULL;
}

/* ---- under signals ---- */

static volatile unsigned signals;
static void on_signal(int number) {
  volatile char frame[2048];
  memset((void*)frame, number, sizeof frame);
  ++signals;
}

static void interrupt_every(int microseconds) {
  struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  check(setitimer(ITIMER_REAL, &timer, NULL) == 0, "no timer");
}

SCENARIO void interrupted_by_signals(void) {
  for (int i = 0; i < INTERRUPTED_CALLS; ++i) {
    void* block = opaque(malloc(56));
    if (i % (INTERRUPTED_CALLS / 100) == 0)
      keep(block);
    else
      free(block);
  }
}

SCENARIO void run_scenario(void) {
  run_workers(keep_in_ended_thread);
  run_workers(allocate_for_another);
  run_workers(free_of_another);
  run_workers(exchange_blocks);
  check_filled();
  run_workers(resize_blocks);
  settle_sizes();
  run_workers(map_and_unmap);

  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  interrupt_every(300);
  interrupted_by_signals();
  interrupt_every(0);
  check(signals > 0, "no signal came");
}

DEFINE_MAIN(run_scenario);
