// SPDX-License-Identifier: Apache-2.0
// Stands for a stripped program with jemalloc inside: the functions have no names any more, and the messages are there.
#include <stdio.h>
#include <sys/mman.h>

static char* arena;
static unsigned long used;

__attribute__((noinline)) static void* allocate(unsigned long size) {
  if (!arena) arena = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (arena == MAP_FAILED || used + size > 1 << 20) {
    fputs("<jemalloc>: Error allocating\n", stderr);
    return NULL;
  }
  used += size;
  return arena + used - size;
}

int main(void) {
  int missing = 0;
  for (int i = 0; i < 100; i++) missing += allocate(1000) == NULL;
  return missing;
}
