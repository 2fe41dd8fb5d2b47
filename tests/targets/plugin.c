// SPDX-License-Identifier: Apache-2.0
// Built four times, with -DNAME and -DLEAK: a plugin that plugin_host loads, calls and unloads.
#include <stdlib.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

__attribute__((noinline)) void JOIN(leak_in_, NAME)(void) {
  char* block = malloc(LEAK);
  memset(block, 1, LEAK);
  __asm__ volatile("" ::"r"(block) : "memory");
}

void plugin_run(void) {
  JOIN(leak_in_, NAME)();
  __asm__ volatile("");
}
