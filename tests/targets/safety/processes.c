// SPDX-License-Identifier: Apache-2.0
// Processes that make others, and become others.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cases.h"

extern char **environ;
static char self[4096];

static void churn(void) {
  for (int i = 1; i < 50; i++) free(keep(malloc(i * 10)));
}
static int exit_of(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *forks(void) {
  for (int i = 0; i < 10; i++) {
    pid_t child = fork();
    if (child == 0) {
      churn();
      _exit(i);
    }
    churn();
    if (exit_of(child) != i) return "a child failed";
  }
  return "10 children";
}

static const char *grandchildren(void) {
  pid_t child = fork();
  if (child == 0) {
    pid_t grandchild = fork();
    churn();
    if (grandchild == 0) _exit(9);
    _exit(exit_of(grandchild));
  }
  return exit_of(child) == 9 ? "9" : "it failed";
}

static int prepared;
static void count_prepared(void) { free(keep(malloc((size_t)++prepared))); }
static const char *fork_handlers(void) {
  static int registered = -1;
  if (registered < 0) registered = pthread_atfork(count_prepared, count_prepared, count_prepared);
  prepared = 0;
  pid_t child = fork();
  if (child == 0) _exit(prepared);
  return exit_of(child) == 2 && prepared == 2 ? "called" : "not called";
}

static const char *vfork_and_exec(void) {
  pid_t child = vfork();
  if (child == 0) {
    execl(self, self, "answer", NULL);
    _exit(1);
  }
  return exit_of(child) == 42 ? "42" : "it failed";
}

static const char *spawn(void) {
  char *arguments[] = {self, "answer", NULL};
  pid_t child;
  if (posix_spawn(&child, self, NULL, NULL, arguments, environ) != 0) return "not spawned";
  return exit_of(child) == 42 ? "42" : "it failed";
}

static const char *shell(void) {
  char line[20] = "";
  int status = system("exit 7");
  FILE *pipe = popen("echo from a shell", "r");
  if (pipe && !fgets(line, sizeof line, pipe)) line[0] = 0;
  if (pipe) pclose(pipe);
  return WEXITSTATUS(status) == 7 && strcmp(line, "from a shell\n") == 0 ? "7" : "it failed";
}

static const char *clone_like_vfork(void) {
  long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    churn();
    _exit(8);
  }
  return exit_of((pid_t)child) == 8 ? "8" : "it failed";
}

static void *allocate_for_ever(void *stop) {
  while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) churn();
  return NULL;
}
static const char *forks_beside_threads(void) {
  int stop = 0, failed = 0;
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, allocate_for_ever, &stop);
  for (int i = 0; i < 10; i++) {
    pid_t child = fork();
    if (child == 0) {
      churn();
      _exit(3);
    }
    failed += exit_of(child) != 3;
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  return failed ? "a child failed" : "10 children";
}

static const char *exec_itself(void) {
  churn();
  execl(self, self, "answer-in-words", NULL);
  return "it failed";
}
static const char *exec_from_a_thread(void);
static void *exec_now(void *unused) {
  exec_itself();
  return unused;
}
static const char *exec_from_a_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, exec_now, NULL);
  pthread_join(thread, NULL);
  return "it failed";
}
static const char *exec_again_and_again(void) {
  const char *left = getenv("DWELL_CASE_LEFT");
  int count = left ? atoi(left) : 15;
  char next[16];
  if (count == 0) return "15 times";
  churn();
  unsetenv("DWELL_CASE_GATE");
  snprintf(next, sizeof next, "%d", count - 1);
  setenv("DWELL_CASE_LEFT", next, 1);
  execl(self, self, "exec-again-and-again", NULL);
  return "it failed";
}

static const struct safety_case cases[] = {
    {"forks", forks},
    {"grandchildren", grandchildren},
    {"fork-handlers", fork_handlers},
    {"vfork-and-exec", vfork_and_exec},
    {"spawn", spawn},
    {"shell", shell},
    {"clone-like-vfork", clone_like_vfork},
    {"forks-beside-threads", forks_beside_threads},
    {"exec-itself", exec_itself},
    {"exec-from-a-thread", exec_from_a_thread},
    {"exec-again-and-again", exec_again_and_again},
};
int main(int argc, char **argv) {
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return 97;
  if (argc > 1 && strcmp(argv[1], "answer") == 0) return 42;
  if (argc > 1 && strcmp(argv[1], "answer-in-words") == 0) return puts("forty-two") < 0;
  return RUN_CASES(argc, argv, cases);
}
