/* SPDX-License-Identifier: Apache-2.0 */
/* A process that becomes two, another one, or larger: fork, vfork, exec, dlopen. */
#define _GNU_SOURCE
#include "tests/targets/processes.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

static void* blocks[10];

/* ---- fork ---- */

SCENARIO void keep_before_fork(void) {
  for (int i = 0; i < 10; ++i) blocks[i] = keep(malloc(100));
}
SCENARIO void keep_in_parent(void) {
  for (int i = 0; i < 2; ++i) free(blocks[i]);
  for (int i = 0; i < 4; ++i) keep(malloc(30));
}
SCENARIO void keep_in_child(void) {
  for (int i = 5; i < 10; ++i) free(blocks[i]);
  for (int i = 0; i < 3; ++i) keep(malloc(70));
}

static void be_the_child(void) {
  say("child waits\n");
  wait_for_line();
  keep_in_child();
  say("child did it\n");
  wait_for_line();
  _exit(0);
}

SCENARIO void run_fork(void) {
  keep_before_fork();
  pid_t child = fork();
  if (child == 0) be_the_child();
  keep_in_parent();
  waitpid(child, NULL, 0);
}

/* ---- vfork ---- */

SCENARIO void keep_before_vfork(void) {
  for (int i = 0; i < 5; ++i) keep(malloc(20));
}
SCENARIO void keep_after_vfork(void) {
  for (int i = 0; i < 2; ++i) keep(malloc(44));
}

SCENARIO void run_vfork(void) {
  keep_before_vfork();
  pid_t child = vfork();
  if (child == 0) {
    execl("/bin/true", "true", NULL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  check(status == 0, "the child of vfork could not run /bin/true");
  keep_after_vfork();
}

/* ---- exec ---- */

SCENARIO void keep_before_exec(void) {
  for (int i = 0; i < EXEC_BLOCKS; ++i) keep(malloc(EXEC_BYTES / EXEC_BLOCKS));
}

SCENARIO void run_exec(char** command) {
  keep_before_exec();
  execv(command[0], command);
  check(0, "exec failed");
}

static void* exec_it(void* command) {
  execv(((char**)command)[0], command);
  check(0, "exec failed");
  return NULL;
}

SCENARIO void run_exec_by_thread(char** command) {
  keep_before_exec();
  pthread_t thread;
  check(!pthread_create(&thread, NULL, exec_it, command), "pthread_create failed");
  pthread_join(thread, NULL);
}

/* ---- dlopen ---- */

static void* (*late_malloc)(size_t);
static void (*late_free)(void*);

SCENARIO void keep_of_late_library(void) {
  for (int i = 0; i < 5; ++i) keep(late_malloc(60));
}
SCENARIO void late_and_freed(void) {
  for (int i = 0; i < 50; ++i) late_free(keep(late_malloc(90)));
}

SCENARIO void run_load(const char* path, const char* prefix) {
  char name[64];
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  check(library != NULL, "dlopen failed");
  late_malloc = (void* (*)(size_t))dlsym(library, strcat(strcpy(name, prefix), "malloc"));
  late_free = (void (*)(void*))dlsym(library, strcat(strcpy(name, prefix), "free"));
  check(late_malloc && late_free, "the library has no allocator of that name");
  say("loaded\n");
  wait_for_line();
  keep_of_late_library();
  late_and_freed();
}

int main(int argc, char** argv) {
  check(argc > 1, "usage: processes fork | vfork | exec PROGRAM... | exec-by-thread PROGRAM... | load LIBRARY PREFIX");
  say("ready\n");
  wait_for_line();
  if (!strcmp(argv[1], "fork")) run_fork();
  if (!strcmp(argv[1], "vfork")) run_vfork();
  if (!strcmp(argv[1], "exec")) run_exec(argv + 2);
  if (!strcmp(argv[1], "exec-by-thread")) run_exec_by_thread(argv + 2);
  if (!strcmp(argv[1], "load")) run_load(argv[2], argc > 3 ? argv[3] : "");
  say("done\n");
  wait_for_line();
  return 0;
}
