// SPDX-License-Identifier: Apache-2.0
// Stacks that are hard to walk, one after the other, for ever. Each calls mark() at its innermost point.
#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#ifdef HAS_UCONTEXT
#include <ucontext.h>
#endif

#define NOINLINE __attribute__((noinline))
#define KEEP(pointer) __asm__ volatile("" ::"r"(pointer) : "memory") // and no tail call over it

// The probed instruction must not be the return: the debugger looks after it was executed.
NOINLINE void mark(void) { __asm__ volatile("nop" ::: "memory"); }

// ---- depth ----
NOINLINE int recurse(int depth) {
  if (depth == 0) {
    mark();
    return 1;
  }
  int below = recurse(depth - 1);
  KEEP(&below);
  return below + 1;
}

// ---- frames of unusual shape ----
NOINLINE void with_alloca(size_t size) {
  char *block = alloca(size);
  KEEP(block);
  mark();
  KEEP(block);
}

NOINLINE void with_huge_frame(void) {
  char block[200000];
  KEEP(block);
  mark();
  KEEP(block);
}

NOINLINE void realigned(size_t size) {
  char aligned[64] __attribute__((aligned(64)));
  char *block = alloca(size);
  KEEP(aligned);
  KEEP(block);
  mark();
  KEEP(block);
}

__attribute__((force_align_arg_pointer)) NOINLINE void realigned_by_prologue(void) {
  double vector[8] __attribute__((aligned(32)));
  KEEP(vector);
  mark();
  KEEP(vector);
}

// Ends in a call that never returns: the return address is the first byte of whatever comes next.
static jmp_buf back;
NOINLINE __attribute__((noreturn)) void leave(void) {
  mark();
  longjmp(back, 1);
}
NOINLINE __attribute__((noreturn)) void never_returns(void) { leave(); }
NOINLINE void through_noreturn(void) {
  if (setjmp(back) == 0) never_returns();
}

// ---- other people's frames in between ----
static int compare(const void *a, const void *b) {
  static int calls;
  if (++calls % 16 == 0) mark();
  return *(const int *)a - *(const int *)b;
}
NOINLINE void through_qsort(void) {
  int numbers[32];
  for (int i = 0; i < 32; i++) numbers[i] = (i * 7919) % 101;
  qsort(numbers, 32, sizeof(int), compare);
  KEEP(numbers);
}

#ifdef PLUGIN
static void *plugin;
NOINLINE void through_plugin(void) {
  if (!plugin) plugin = dlopen(PLUGIN, RTLD_NOW);
  if (!plugin) {
    fprintf(stderr, "cases: %s\n", dlerror());
    exit(1);
  }
  void (*call)(void (*)(void)) = (void (*)(void (*)(void)))dlsym(plugin, "call_back");
  call(mark);
  static int rounds;
  if (++rounds % 64 == 0) {  // and at another address the next time, perhaps
    dlclose(plugin);
    plugin = NULL;
  }
}
#endif

// ---- signals ----
static volatile sig_atomic_t handled;
NOINLINE static void on_signal(int number) {
  (void)number;
  mark();
  handled = 1;
}

static void handle(int number, int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = flags;
  sigaction(number, &action, NULL);
}

static void alarm_in(int microseconds) {
  struct itimerval timer = {{0, 0}, {0, microseconds}};
  handled = 0;
  setitimer(ITIMER_REAL, &timer, NULL);
}

// A leaf that keeps its state in registers and pushes nothing.
NOINLINE static unsigned long spin(unsigned long x) {
  while (!handled) x = x * 6364136223846793005ul + 1;
  return x;
}
NOINLINE void interrupted_leaf(void) {
  alarm_in(300);
  unsigned long x = spin(1);
  KEEP(&x);
}

NOINLINE void interrupted_vdso(void) {
  struct timespec now;
  alarm_in(300);
  while (!handled) clock_gettime(CLOCK_MONOTONIC, &now);
  KEEP(&now);
}

static const char *volatile word = "some words";
NOINLINE void interrupted_plt(void) {
  unsigned long sum = 0;
  alarm_in(300);
  while (!handled) sum += strlen(word) + (unsigned long)abs((int)sum);
  KEEP(&sum);
}

// Any instruction: also in prologues and epilogues.
NOINLINE void interrupted_anywhere(void) {
  alarm_in(300 + rand() % 50);
  while (!handled) {
    unsigned long sum = (unsigned long)atoi("42");
    KEEP(&sum);
  }
}

NOINLINE void raised(void) {
  raise(SIGUSR1);
  KEEP(&handled);
}
NOINLINE void raised_on_other_stack(void) {
  raise(SIGUSR2);
  KEEP(&handled);
}

// ---- stacks of one's own ----
#ifdef HAS_UCONTEXT
static ucontext_t outside, inside;
static char context_stack[65536] __attribute__((aligned(64)));
static void context_main(void) {
  recurse(3);
}
NOINLINE void in_context(void) {
  getcontext(&inside);
  inside.uc_stack.ss_sp = context_stack;
  inside.uc_stack.ss_size = sizeof context_stack;
  inside.uc_link = &outside;
  makecontext(&inside, context_main, 0);
  swapcontext(&outside, &inside);
  KEEP(context_stack);
}
#endif

static void *thread_main(void *unused) {
  recurse(2);
  return unused;
}
NOINLINE void in_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, thread_main, NULL) == 0) pthread_join(thread, NULL);
  KEEP(&thread);
}

int main(void) {
  static char other_stack[65536];
  stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
  sigaltstack(&stack, NULL);
  handle(SIGUSR1, 0);
  handle(SIGUSR2, SA_ONSTACK);
  handle(SIGALRM, SA_RESTART);
  puts("ready");
  fflush(stdout);
  for (;;) {
    recurse(0);
    recurse(120);
    with_alloca(100 + (size_t)rand() % 5000);
    with_huge_frame();
    realigned(100 + (size_t)rand() % 500);
    realigned_by_prologue();
    through_noreturn();
    through_qsort();
#ifndef NO_INTERRUPTIONS
    interrupted_leaf();
    interrupted_vdso();
    interrupted_plt();
    interrupted_anywhere();
#endif
    raised();
    raised_on_other_stack();
    in_thread();
#ifdef PLUGIN
    through_plugin();
#endif
#ifdef HAS_UCONTEXT
    in_context();
#endif
  }
}
