// SPDX-License-Identifier: Apache-2.0
// "ready", <line>: a signal's handler allocates, once; a plugin that was loaded this moment allocates, once; a deep
// recursion allocates at its bottom, called by two. "done", <line>.
#include "tests/targets/first_stacks.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void* volatile kept[8];

__attribute__((noinline)) static void in_handler(void) { kept[0] = malloc(IN_HANDLER_BYTES); }
static void handle(int number) {
  (void)number;
  in_handler();
}
__attribute__((noinline)) static void interrupted(void) {
  raise(SIGUSR1);
  __asm__ volatile("");
}

__attribute__((noinline)) static void plugin_manager(const char* folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libplugin_alpha.so", folder);
  void* plugin = dlopen(path, RTLD_NOW);
  if (!plugin) exit(2);
  ((void (*)(void))dlsym(plugin, "plugin_run"))();
  __asm__ volatile("");
}

static int odd(int depth, int slot);
__attribute__((noinline)) static int even(int depth, int slot) {
  if (depth == 0) {
    kept[slot] = malloc(IN_RECURSION_BYTES);
    return 1;
  }
  return odd(depth - 1, slot) + 1;
}
__attribute__((noinline)) static int odd(int depth, int slot) { return even(depth - 1, slot) + 1; }
__attribute__((noinline)) int parse_request(void) { return even(RECURSION_DEPTH, 1) + 1; }
__attribute__((noinline)) int parse_reply(void) { return even(RECURSION_DEPTH, 2) + 1; }

static void wait_for_line(const char* say) {
  char line[64];
  puts(say);
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) exit(1);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  struct sigaction action = {.sa_handler = handle};
  sigaction(SIGUSR1, &action, NULL);
  wait_for_line("ready");
  interrupted();
  plugin_manager(argv[1]);
  int turns = parse_request() + parse_reply();
  wait_for_line("done");
  return turns == 0;
}
