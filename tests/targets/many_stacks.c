// SPDX-License-Identifier: Apache-2.0
// Each allocation has another stack: a walk of 60 calls through two functions that call each other, as in a parser. All
// blocks stay.
#include <stdint.h>
#include <stdlib.h>

static void *volatile sink;
static void list(uint64_t bits, int left);
static void item(uint64_t bits, int left);

static void go_on(uint64_t bits, int left) {
  if (!left)
    sink = malloc(16);
  else if (bits & 1)
    list(bits >> 1, left - 1);
  else
    item(bits >> 1, left - 1);
}
__attribute__((noinline)) static void list(uint64_t bits, int left) {
  go_on(bits, left);
  __asm__ volatile("");  // a call that is no jump
}
__attribute__((noinline)) static void item(uint64_t bits, int left) {
  go_on(bits, left);
  __asm__ volatile("");
}

int main(void) {
  for (uint64_t bits = 1;;) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    list(bits, 60);
  }
}
