// SPDX-License-Identifier: Apache-2.0
// Threads that hold each other up: "ready"; a line; what contended.h says; "done"; a line; the end. Each holder waits until the
// other thread sleeps, so that the number of waits is known.
#define _GNU_SOURCE
#include "tests/targets/contended.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "tests/targets/scenario.h"

struct session {
  long number;
  pthread_mutex_t lock;
};

pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t prices = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t ready_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_ready = PTHREAD_COND_INITIALIZER;
static struct session *session;
static atomic_int waiter, turn; /* the thread that waits; whose turn it is: even, to hold; odd, to wait */

static int sleeps(int tid) {
  char path[64], line[256] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  FILE *file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file)) abort();
  fclose(file);
  char *behind = strrchr(line, ')');
  return behind && behind[2] == 'S';
}
NOINLINE static void until_it_sleeps(void) {
  const struct timespec moment = {0, 200000};
  do nanosleep(&moment, NULL);
  while (!sleeps(waiter));
}
static void wait_for_turn(int wanted) {
  while (turn != wanted) syscall(SYS_sched_yield);
}

NOINLINE static void holds_queue(void) {
  pthread_mutex_lock(&queue_lock);
  turn++;
  until_it_sleeps();
  pthread_mutex_unlock(&queue_lock);
}
NOINLINE static void waits_for_queue(void) {
  pthread_mutex_lock(&queue_lock);
  pthread_mutex_unlock(&queue_lock);
}

static pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER;
static long long kept_ns; /* by waits_and_keeps, in all, as it sees it */
static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}
NOINLINE static void holds_kept(void) {
  pthread_mutex_lock(&kept);
  turn++;
  until_it_sleeps();
  pthread_mutex_unlock(&kept);
}
NOINLINE static void waits_and_keeps(void) {
  const struct timespec a_while = {0, CONTENDED_KEEPS_MS * 1000000};
  pthread_mutex_lock(&kept);
  long long since = now_ns();
  nanosleep(&a_while, NULL);
  kept_ns += now_ns() - since;
  pthread_mutex_unlock(&kept);
}

NOINLINE static struct session *makes_session(void) {
  struct session *made = calloc(1, sizeof *made);
  pthread_mutex_init(&made->lock, NULL);
  return made;
}
NOINLINE static void holds_session(void) {
  pthread_mutex_lock(&session->lock);
  turn++;
  until_it_sleeps();
  pthread_mutex_unlock(&session->lock);
}
NOINLINE static void waits_for_session(void) {
  pthread_mutex_lock(&session->lock);
  pthread_mutex_unlock(&session->lock);
}

NOINLINE static void writes_prices(void) {
  pthread_rwlock_wrlock(&prices);
  turn++;
  until_it_sleeps();
  pthread_rwlock_unlock(&prices);
}
NOINLINE static void reads_prices(void) {
  pthread_rwlock_rdlock(&prices);
  pthread_rwlock_unlock(&prices);
}

NOINLINE static void makes_ready(void) {
  turn++;
  until_it_sleeps();
  pthread_mutex_lock(&ready_lock);
  pthread_cond_signal(&is_ready);
  pthread_mutex_unlock(&ready_lock);
}
NOINLINE static void waits_until_ready(void) {
  pthread_mutex_lock(&ready_lock);
  pthread_cond_wait(&is_ready, &ready_lock);
  pthread_mutex_unlock(&ready_lock);
}

static const struct {
  void (*holds)(void), (*waits)(void);
  int times;
} kWaits[] = {{holds_queue, waits_for_queue, CONTENDED_TIMES},
              {holds_session, waits_for_session, CONTENDED_ON_HEAP},
              {writes_prices, reads_prices, CONTENDED_READS},
              {makes_ready, waits_until_ready, CONTENDED_CONDITIONS},
              {holds_kept, waits_and_keeps, CONTENDED_KEEPS}};
#define KINDS (sizeof kWaits / sizeof *kWaits)

static void *waiting(void *argument) {
  int next = 1;
  waiter = (int)syscall(SYS_gettid);
  for (size_t kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < kWaits[kind].times; i++, next += 2) {
      wait_for_turn(next);
      kWaits[kind].waits();
      turn++;
    }
  return argument;
}

int main(int argc, char **argv) {
  int free = argc > 1 ? atoi(argv[1]) : CONTENDED_FREE;
  say_and_wait("ready");
  session = makes_session();
  for (int i = 0; i < free; i++) waits_for_queue();
  pthread_t thread = start(waiting, NULL, "waiter");
  while (!waiter) syscall(SYS_sched_yield);
  int next = 0;
  for (size_t kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < kWaits[kind].times; i++, next += 2) {
      wait_for_turn(next);
      kWaits[kind].holds();
    }
  pthread_join(thread, NULL);
  printf("kept %lld\n", kept_ns);
  say_and_wait("done");
  return 0;
}
