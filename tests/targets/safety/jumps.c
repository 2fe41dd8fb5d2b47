// SPDX-License-Identifier: Apache-2.0
// longjmp and siglongjmp out of everything that may be above them, and stacks of unusual shape.
#define _GNU_SOURCE
#include <search.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "cases.h"

static jmp_buf back;
static sigjmp_buf back_from_signal;

static void churn(void) {
  for (int i = 1; i < 20; i++) free(keep(malloc(i * 10)));
}

static void down(int depth) {
  volatile char space[200];
  space[0] = (char)depth;
  churn();
  if (depth == 0) longjmp(back, 5);
  down(depth - 1);
  keep((void *)space);
}
static const char *from_the_depth(void) {
  volatile int jumps = 0;
  if (setjmp(back) == 5 && ++jumps == 10) return "10 jumps";
  down(30);
  return "no jump";
}

static int compare(const void *a, const void *b) {
  churn();
  if (*(const int *)a == 7 || *(const int *)b == 7) longjmp(back, 1);
  return *(const int *)a - *(const int *)b;
}
static const char *below_qsort(void) {
  int numbers[] = {5, 3, 9, 1, 4, 7, 2};
  if (setjmp(back)) return "left qsort";
  qsort(numbers, 7, sizeof(int), compare);
  return "sorted";
}
static const char *below_bsearch(void) {
  int numbers[] = {1, 3, 5, 7, 9}, key = 7;
  if (setjmp(back)) return "left bsearch";
  return bsearch(&key, numbers, 5, sizeof(int), compare) ? "found" : "not found";
}
static const char *below_tsearch(void) {
  static const int numbers[] = {4, 2, 6, 1, 7};
  void *volatile root = NULL;
  volatile int placed = 0;
  if (setjmp(back) == 0)
    for (int i = 0; i < 5; i++, placed++) tsearch(&numbers[i], (void **)&root, compare);
  return placed == 4 ? "left tsearch" : "placed another number";
}

static void on_fault(int number) {
  (void)number;
  siglongjmp(back_from_signal, 1);
}
static const char *out_of_a_fault(void) {
  volatile int faults = 0;
  signal(SIGSEGV, on_fault);
  char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  while (faults < 20) {
    if (sigsetjmp(back_from_signal, 1) == 0) {
      churn();
      page[10] = 1;
      return "no fault";
    }
    faults++;
  }
  munmap(page, 4096);
  return "20 faults";
}

static volatile sig_atomic_t may_jump;
static void on_alarm(int number) {
  (void)number;
  if (may_jump) siglongjmp(back_from_signal, 1);
}
// The allocator is never interrupted halfway: signals are let through between its calls only.
static const char *out_of_an_alarm(void) {
  volatile int alarms = 0;
  struct itimerval soon = {{0, 0}, {0, 2000}};
  signal(SIGALRM, on_alarm);
  while (alarms < 5) {
    if (sigsetjmp(back_from_signal, 1) == 0) {
      may_jump = 0;
      setitimer(ITIMER_REAL, &soon, NULL);
      for (;;) {
        churn();
        may_jump = 1;
        for (volatile int i = 0; i < 2000; i++) continue;
        may_jump = 0;
        setitimer(ITIMER_REAL, &soon, NULL);
        may_jump = 1;
        pause();
        may_jump = 0;
      }
    }
    alarms++;
  }
  return "5 alarms";
}

static const char *setjmp_in_a_loop(void) {
  volatile long sum = 0;
  for (volatile int i = 0; i < 300; i++) {
    int value = setjmp(back);
    if (value == 0) {
      free(keep(malloc(50)));
      longjmp(back, i + 1);
    }
    sum += value;
  }
  return sum == 45150 ? "45150" : "wrong sum";
}

static size_t with_array(size_t size) {
  char array[size];
  memset(array, 1, size);
  keep(array);
  free(keep(malloc(size)));
  return size > 10 ? with_array(size - 10) + array[size / 2] : 0;
}
static const char *variable_arrays(void) { return with_array(2000) == 199 ? "199" : "wrong sum"; }

static const char *alloca_in_a_loop(void) {
  char *last = NULL;
  for (int i = 1; i < 200; i++) {
    last = __builtin_alloca(i);
    memset(last, i, i);
    free(keep(malloc(i)));
  }
  return last[100] == (char)199 ? "kept" : "overwritten";
}

__attribute__((noinline)) static long recursion(long depth) {
  void *block = keep(malloc(16));
  long sum = depth ? recursion(depth - 1) + 1 : 0;
  free(block);
  return sum;
}
static const char *deep_recursion(void) { return recursion(3000) == 3000 ? "3000 deep" : "wrong depth"; }

static const struct safety_case cases[] = {
    {"from-the-depth", from_the_depth},     {"below-qsort", below_qsort},
    {"below-bsearch", below_bsearch},       {"below-tsearch", below_tsearch},
    {"out-of-a-fault", out_of_a_fault},     {"out-of-an-alarm", out_of_an_alarm},
    {"setjmp-in-a-loop", setjmp_in_a_loop}, {"variable-arrays", variable_arrays},
    {"alloca-in-a-loop", alloca_in_a_loop}, {"deep-recursion", deep_recursion},
};
int main(int argc, char **argv) { return RUN_CASES(argc, argv, cases); }
