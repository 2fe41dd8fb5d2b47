// SPDX-License-Identifier: Apache-2.0
// More stacks than threads: contexts, alternate signal stacks, coroutines made by hand, threads by clone.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "cases.h"

#define STACK (64 << 10)

static ucontext_t main_context, worker_context[3];
static int turns;
static void worker(int number) {
  for (int i = 0; i < 50; i++) {
    void *block = keep(malloc(100 + number));
    turns++;
    swapcontext(&worker_context[number], &main_context);
    free(block);
  }
}
static const char *contexts(void) {
  static char stacks[3][STACK];
  turns = 0;
  for (int i = 0; i < 3; i++) {
    getcontext(&worker_context[i]);
    worker_context[i].uc_stack.ss_sp = stacks[i];
    worker_context[i].uc_stack.ss_size = STACK;
    worker_context[i].uc_link = &main_context;
    makecontext(&worker_context[i], (void (*)(void))worker, 1, i);
  }
  for (int round = 0; round < 51; round++)
    for (int i = 0; i < 3; i++) swapcontext(&main_context, &worker_context[i]);
  return turns == 150 ? "150 turns" : "wrong number of turns";
}

// Saves what a call must keep, changes rsp, and goes on where that stack was left.
void safety_switch(void **save, void *to);
__asm__(".text\n.type safety_switch,@function\nsafety_switch:\n"
        "push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\nret\n"
        ".size safety_switch,.-safety_switch\n");
static void *main_stack, *routine_stack;
static void routine(void) {
  for (;;) {
    void *block = keep(malloc(64));
    turns++;
    safety_switch(&routine_stack, main_stack);
    free(block);
  }
}
static const char *coroutines_by_hand(void) {
  static char stack[STACK] __attribute__((aligned(16)));
  void **top = (void **)(stack + STACK - 16);
  *--top = (void *)0; /* nobody returns from the routine */
  *--top = (void *)routine;
  for (int i = 0; i < 6; i++) *--top = NULL;
  routine_stack = top;
  turns = 0;
  for (int i = 0; i < 200; i++) {
    free(keep(malloc(32)));
    safety_switch(&main_stack, routine_stack);
  }
  return turns == 200 ? "200 turns" : "wrong number of turns";
}

// A stack that moves on in the middle of a call of the allocator's user: the block is freed on another stack.
static ucontext_t borrowed, lender;
static void *passed;
static void borrower(void) { passed = malloc(500); }
static const char *freed_on_another_stack(void) {
  char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  getcontext(&borrowed);
  borrowed.uc_stack.ss_sp = stack;
  borrowed.uc_stack.ss_size = STACK;
  borrowed.uc_link = &lender;
  makecontext(&borrowed, borrower, 0);
  swapcontext(&lender, &borrowed);
  munmap(stack, STACK);
  free(passed);
  return "freed";
}

static volatile sig_atomic_t signals_seen;
static void on_signal(int number) {
  char text[2000];
  snprintf(text, sizeof text, "%d", number);
  signals_seen += text[0] != 0;
}
static const char *alternate_stack(void) {
  static char stack[STACK];
  stack_t other = {.ss_sp = stack, .ss_size = STACK};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  sigaltstack(&other, NULL);
  sigaction(SIGUSR1, &action, NULL);
  signals_seen = 0;
  for (int i = 0; i < 50; i++) {
    free(keep(malloc(i)));
    raise(SIGUSR1);
  }
  return signals_seen == 50 ? "50 signals" : "wrong number of signals";
}

static int cloned(void *argument) {
  *(int *)argument = 42;
  return 0;
}
static const char *clone_with_a_stack(void) {
  int answer = 0, status = 0;
  char *stack = malloc(STACK);
  int child = clone(cloned, stack + STACK, CLONE_VM | SIGCHLD, &answer);
  waitpid(child, &status, 0);
  free(stack);
  return WIFEXITED(status) && answer == 42 ? "42" : "no answer";
}

static const struct safety_case cases[] = {
    {"contexts", contexts},
    {"coroutines-by-hand", coroutines_by_hand},
    {"freed-on-another-stack", freed_on_another_stack},
    {"alternate-stack", alternate_stack},
    {"clone-with-a-stack", clone_with_a_stack},
};
int main(int argc, char **argv) { return RUN_CASES(argc, argv, cases); }
