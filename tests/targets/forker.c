/* SPDX-License-Identifier: Apache-2.0 */
/* A process that starts many: forker CHILDREN ALIVE MILLISECONDS [daemon | spawn]. CHILDREN in all, ALIVE of them
 * at once, each with KEPT blocks of its own, for MILLISECONDS. daemon: each child forks another one, which does
 * the work, and ends at once. spawn: each is a vfork child that becomes /bin/true. */
#define _GNU_SOURCE
#include "tests/targets/forker.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

SCENARIO void keep_in_worker(void) {
  for (int i = 0; i < FORKER_KEPT; ++i) keep(malloc(FORKER_BYTES));
}

static void work(int milliseconds) {
  keep_in_worker();
  usleep(milliseconds * 1000);
  _exit(0);
}

static void start_one(const char* how, int milliseconds) {
  int spawn = !strcmp(how, "spawn");
  pid_t child = spawn ? vfork() : fork();
  check(child >= 0, "fork failed");
  if (child) return;
  if (spawn) {
    execl("/bin/true", "true", NULL);
    _exit(1);
  }
  if (!strcmp(how, "daemon") && fork()) _exit(0);
  work(milliseconds);
}

int main(int argc, char** argv) {
  check(argc > 3, "usage: forker CHILDREN ALIVE MILLISECONDS [daemon | spawn]");
  int children = atoi(argv[1]), alive = atoi(argv[2]), milliseconds = atoi(argv[3]), now = 0;
  const char* how = argc > 4 ? argv[4] : "";
  prctl(PR_SET_CHILD_SUBREAPER, 1); /* what its children leave behind is waited for too */
  say("ready\n");
  wait_for_line();
  for (int i = 0; i < children; ++i) {
    for (; now >= alive; --now) waitpid(-1, NULL, 0);
    start_one(how, milliseconds);
    ++now;
  }
  while (wait(NULL) > 0) continue;
  say("done\n");
  wait_for_line();
  return 0;
}
