/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs have in common whose threads wait: one scenario a run, "ready" when all threads are where
 * they stay, and the end with the input. */
#ifndef DWELL_TESTS_TARGETS_SCENARIO_H
#define DWELL_TESTS_TARGETS_SCENARIO_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

struct scenario {
  const char *name;
  void (*begin)(void);
  int never_sleeps;            /* its threads run all the time */
  void *(*main_waits)(void *); /* where the main thread stays; by default it waits for input */
};

static inline pthread_t start(void *(*routine)(void *), void *argument, const char *name) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, routine, argument)) abort();
  pthread_setname_np(thread, name);
  return thread;
}

/* A thread waits when it sleeps in the kernel; ours have nothing else to do. */
static inline int all_but_this_sleep(void) {
  char command[128];
  snprintf(command, sizeof command, "cat /proc/%d/task/*/stat | grep -vc ') [SD] '", getpid());
  FILE *answer = popen(command, "r");
  int awake = -1;
  if (!answer || fscanf(answer, "%d", &awake) != 1) abort();
  pclose(answer);
  return awake == 0;
}

/* "ready", "done": until the other side says a line. */
static inline void say_and_wait(const char *word) {
  char line[16];
  puts(word);
  fflush(stdout);
  (void)!fgets(line, sizeof line, stdin);
}

static inline int run_scenario(const struct scenario *scenarios, size_t count, int argc, char **argv) {
  for (size_t i = 0; i < count; i++) {
    if (argc < 2 || strcmp(scenarios[i].name, argv[1])) continue;
    scenarios[i].begin();
    struct timespec moment = {0, 1000000};
    while (!scenarios[i].never_sleeps && !all_but_this_sleep()) nanosleep(&moment, NULL);
    puts("ready");
    fflush(stdout);
    if (scenarios[i].main_waits) scenarios[i].main_waits(NULL);
    char line[16];
    (void)!fgets(line, sizeof line, stdin);
    return 0;
  }
  fprintf(stderr, "no such scenario\n");
  return 2;
}

#define SCENARIO_MAIN                                                                 \
  int main(int argc, char **argv) {                                                   \
    return run_scenario(scenarios, sizeof scenarios / sizeof *scenarios, argc, argv); \
  }

#endif /* DWELL_TESTS_TARGETS_SCENARIO_H */
