// SPDX-License-Identifier: Apache-2.0
// Its tc_malloc is chosen by a function of its own when the program starts.
#include <stddef.h>
#include <unistd.h>
static char memory[1 << 20];
static size_t used;
void *chosen_malloc(size_t size) { return memory + (used += (size + 31) & ~(size_t)15); }
static void *(*choose(void))(size_t) { return chosen_malloc; }
void *tc_malloc(size_t size) __attribute__((ifunc("choose")));
void tc_free(void *block) { used += block == memory; }
int main(void) {
  char *block = tc_malloc(1);
  *block = '.';
  if (write(1, block, 1) != 1) return 1;
  tc_free(block);
  for (;;) pause();
}
