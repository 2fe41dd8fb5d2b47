/* SPDX-License-Identifier: Apache-2.0 */
/* A prefork server: prefork WORKERS [SECONDS]. A master, and workers that keep a session for each request. It reads commands:
 *
 *   serve N     each worker serves N requests            -> "served"
 *   replace     the oldest worker ends, another begins   -> "replaced PID"
 *   workers     which they are                           -> "workers PID PID ..."
 *   end
 *
 * With SECONDS it needs no commands: each worker serves 200 requests a second for so long. */
#define _GNU_SOURCE
#include "tests/targets/prefork.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORKERS 1000

struct worker {
  pid_t pid;
  int requests; /* the master writes how many */
  int answers;
};

static struct worker workers[MOST_WORKERS];
static int count;
static char* shared;
static void* volatile last_session;
static void* volatile last_scratch;

__attribute__((noinline)) void create_session(void) {
  void** session = malloc(PREFORK_SESSION_BYTES);
  memset(session, 1, PREFORK_SESSION_BYTES);
  *session = last_session;
  last_session = session;
}

__attribute__((noinline)) void handle_request(void) {
  create_session();
  last_scratch = malloc(PREFORK_SCRATCH_BYTES);
  memset(last_scratch, 2, PREFORK_SCRATCH_BYTES);
  free(last_scratch);
}

static void touch_shared(void) {
  for (int at = 0; at < PREFORK_SHARED_BYTES; at += 4096) shared[at] = 1;
}

static void serve_for(int seconds) {
  for (int i = 0; i < seconds * 200; ++i) {
    handle_request();
    usleep(5000);
  }
  _exit(0);
}

static void work(int requests, int answers, int seconds) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  touch_shared();
  if (seconds) serve_for(seconds);
  int many;
  while (read(requests, &many, sizeof many) == sizeof many) {
    for (int i = 0; i < many; ++i) handle_request();
    if (write(answers, "", 1) != 1) break;
  }
  _exit(0);
}

static struct worker start_worker(int seconds) {
  int requests[2], answers[2];
  if (pipe(requests) || pipe(answers)) exit(2);
  pid_t pid = fork();
  if (pid < 0) exit(2);
  if (pid == 0) {
    close(requests[1]);
    close(answers[0]);
    for (int i = 0; i < count; ++i) close(workers[i].requests);
    work(requests[0], answers[1], seconds);
  }
  close(requests[0]);
  close(answers[1]);
  return (struct worker){pid, requests[1], answers[0]};
}

static void tell(struct worker* one, int many) {
  if (write(one->requests, &many, sizeof many) != sizeof many) exit(3);
}

static void wait_for_answer(struct worker* one) {
  char byte;
  if (read(one->answers, &byte, 1) != 1) exit(3);
}

static void serve(int many) {
  for (int i = 0; i < count; ++i) tell(&workers[i], many);
  for (int i = 0; i < count; ++i) wait_for_answer(&workers[i]);
  puts("served");
}

static void replace(void) {
  close(workers[0].requests);
  waitpid(workers[0].pid, NULL, 0);
  close(workers[0].answers);
  memmove(workers, workers + 1, (size_t)(count - 1) * sizeof *workers);
  --count;
  workers[count] = start_worker(0);
  ++count;
  printf("replaced %d\n", workers[count - 1].pid);
}

static void list(void) {
  printf("workers");
  for (int i = 0; i < count; ++i) printf(" %d", workers[i].pid);
  puts("");
}

int main(int argc, char** argv) {
  int wanted = argc > 1 ? atoi(argv[1]) : 4, seconds = argc > 2 ? atoi(argv[2]) : 0;
  if (wanted < 1 || wanted > MOST_WORKERS) return 2;
  shared = mmap(NULL, PREFORK_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  touch_shared();
  for (; count < wanted; ++count) workers[count] = start_worker(seconds);
  if (!seconds) serve(0);
  puts("ready");
  if (seconds) {
    while (wait(NULL) > 0) continue;
    return 0;
  }
  char line[64];
  while (fgets(line, sizeof line, stdin) && strncmp(line, "end", 3)) {
    if (!strncmp(line, "serve ", 6)) serve(atoi(line + 6));
    if (!strncmp(line, "replace", 7)) replace();
    if (!strncmp(line, "workers", 7)) list();
  }
  for (int i = 0; i < count; ++i) close(workers[i].requests);
  while (wait(NULL) > 0) continue;
  return 0;
}
