// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <unistd.h>
int main(void) {
  free(malloc(1));
  if (write(1, ".", 1) != 1) return 1;
  for (;;) pause();
}
