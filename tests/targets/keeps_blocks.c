// SPDX-License-Identifier: Apache-2.0
// "ready", <line>, keeps 100 blocks of 1000 bytes, "done", <line>. Built plainly, with an allocator of its own, and with
// sanitizers, whose runtimes bring theirs.
#include <stdio.h>
#include <stdlib.h>

static void* volatile kept[100];
__attribute__((noinline)) void keep_block(int i) { kept[i] = malloc(1000); }

int main(void) {
  char line[64];
  puts("ready");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return 1;
  for (int i = 0; i < 100; i++) keep_block(i);
  puts("done");
  fflush(stdout);
  return fgets(line, sizeof line, stdin) ? 0 : 1;
}
