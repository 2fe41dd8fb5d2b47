// SPDX-License-Identifier: Apache-2.0
// Signal handlers that look at the stack that they interrupt, and other uses of signals; threads that are
// cancelled at any instruction.
#define _GNU_SOURCE
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "cases.h"

static void churn(void) {
  for (int i = 1; i < 20; i++) free(keep(malloc(i * 10)));
}

static volatile sig_atomic_t seen, deep;
static void look_around(int number) {
  void *frames[64];
  (void)number;
  seen++;
  deep += backtrace(frames, 64) >= 3; /* itself, the handler's frame, what it interrupted */
}
static void prepare_backtrace(void) {
  void *frame[1];
  backtrace(frame, 1); /* loads the unwinder, which no handler may do */
  seen = deep = 0;
}
static const char *backtrace_in_a_handler(void) {
  prepare_backtrace();
  signal(SIGUSR1, look_around);
  for (int i = 0; i < 30; i++) {
    churn();
    raise(SIGUSR1);
  }
  return seen == 30 && deep == 30 ? "30 stacks" : "stacks are missing";
}

// What sampling profilers do.
static const char *profiler(void) {
  struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  prepare_backtrace();
  signal(SIGPROF, look_around);
  setitimer(ITIMER_PROF, &often, NULL);
  while (seen < 20) churn();
  setitimer(ITIMER_PROF, &never, NULL);
  return deep >= 1 ? "sampled" : "no stack";
}

static void print_and_leave(int number) {
  void *frames[64];
  int count = backtrace(frames, 64);
  printf("signal %d, %s\n", number, count > 4 ? "with a stack" : "without");
  fflush(stdout);
  _exit(5);
}
__attribute__((noinline)) static void fault(int depth) {
  volatile int *nowhere = (int *)16;
  churn();
  if (depth > 0) fault(depth - 1);
  *nowhere = depth;
}
static const char *crash_report(void) {
  prepare_backtrace();
  signal(SIGSEGV, print_and_leave);
  fault(5);
  return "no fault";
}
static const char *killed_by_a_fault(void) {
  signal(SIGSEGV, SIG_DFL);
  puts("before the fault");
  fflush(stdout);
  fault(3);
  return "no fault";
}

static void on_child(int number) {
  (void)number;
  while (waitpid(-1, NULL, WNOHANG) > 0) seen++;
}
static const char *children(void) {
  sigset_t child, before;
  seen = 0;
  signal(SIGCHLD, on_child);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &before);
  for (int i = 0; i < 5; i++)
    if (fork() == 0) _exit(0);
  while (seen < 5) {
    churn();
    sigsuspend(&before);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  signal(SIGCHLD, SIG_DFL);
  return "5 children";
}

static const char *by_descriptor(void) {
  sigset_t set;
  struct signalfd_siginfo info;
  int sum = 0;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_CLOEXEC);
  for (int i = 0; i < 20; i++) {
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    churn();
    if (read(fd, &info, sizeof info) == sizeof info) sum += info.ssi_int;
  }
  close(fd);
  return sum == 190 ? "190" : "wrong sum";
}

static volatile sig_atomic_t nested;
static void on_nested(int number) {
  if (number == SIGUSR1) raise(SIGUSR2);
  nested++;
}
static const char *handlers_in_handlers(void) {
  nested = 0;
  signal(SIGUSR1, on_nested);
  signal(SIGUSR2, on_nested);
  for (int i = 0; i < 100; i++) {
    raise(SIGUSR1);
    churn();
  }
  return nested == 200 ? "200" : "wrong number";
}

static int cleaned;
static volatile sig_atomic_t begun;
static void clean_up(void *block) {
  free(block);
  cleaned++;
}
static void *spin(void *unused) {
  pthread_cleanup_push(clean_up, malloc(100));
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  begun = 1;
  for (volatile long i = 0;; i++) continue;
  pthread_cleanup_pop(0);
  return unused;
}
static const char *cancelled_anywhere(void) {
  pthread_t thread;
  void *result = NULL;
  cleaned = begun = 0;
  pthread_create(&thread, NULL, spin, NULL);
  while (!begun) usleep(100);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  return result == PTHREAD_CANCELED && cleaned == 1 ? "cleaned up" : "not cleaned up";
}

static const struct safety_case cases[] = {
    {"backtrace-in-a-handler", backtrace_in_a_handler},
    {"profiler", profiler},
    {"crash-report", crash_report},
    {"killed-by-a-fault", killed_by_a_fault},
    {"children", children},
    {"by-descriptor", by_descriptor},
    {"handlers-in-handlers", handlers_in_handlers},
    {"cancelled-anywhere", cancelled_anywhere},
};
int main(int argc, char **argv) { return RUN_CASES(argc, argv, cases); }
