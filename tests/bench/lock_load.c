// SPDX-License-Identifier: Apache-2.0
// lock_load: each line of input says what to do for 0.3 s, and is answered with the nanoseconds of CPU time that a turn took, so that
// other work on the machine hardly matters:
//   contended   four threads lock a mutex, hold it for some 20 us, and do something else for as long
//   elapsed     the same, and the answer is the time that went by
//   free        one thread locks and unlocks a mutex that nobody else wants
//   wake        a futex call that wakes nobody
//   nothing     getppid
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int word;
static atomic_int running;
static atomic_long turns;

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void work(void) {
  for (volatile int i = 0; i < 20000; i++) {
  }
}
__attribute__((noinline)) static void use_it(int depth) {
  if (depth > 0) {
    use_it(depth - 1);
    __asm__ volatile("");
    return;
  }
  pthread_mutex_lock(&lock);
  work();
  pthread_mutex_unlock(&lock);
}
static void *contend(void *argument) {
  for (; running; turns++) {
    use_it(10);
    work();
  }
  return argument;
}

static double contended(clockid_t clock) {
  const struct timespec a_while = {0, 300000000};
  pthread_t threads[THREADS];
  running = 1;
  turns = 0;
  double start = now(clock);
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, contend, NULL);
  nanosleep(&a_while, NULL);
  running = 0;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return (now(clock) - start) / (double)turns;
}

static void turn_of(const char *way) {
  if (*way == 'f') {
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
  } else if (*way == 'w') {
    syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
  } else {
    syscall(SYS_getppid);
  }
}
static double alone(const char *way) {
  long count = 0;
  double start = now(CLOCK_PROCESS_CPUTIME_ID), end;
  do {
    for (int i = 0; i < 100; i++, count++) turn_of(way);
  } while ((end = now(CLOCK_PROCESS_CPUTIME_ID)) < start + 3e8);
  return (end - start) / (double)count;
}

int main(void) {
  for (char line[16]; fgets(line, sizeof line, stdin);) {
    printf("%.1f\n", *line == 'c' ? contended(CLOCK_PROCESS_CPUTIME_ID) : *line == 'e' ? contended(CLOCK_MONOTONIC) : alone(line));
    fflush(stdout);
  }
  return 0;
}
