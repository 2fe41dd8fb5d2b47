/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is loaded where only its program is by then. */
#include <stdlib.h>

#define SCENARIO __attribute__((noipa, visibility("default")))

static void* volatile kept[8];

SCENARIO void keep_in_moved_library(void) {
  for (int i = 0; i < 7; i++) kept[i] = malloc(56);
}

SCENARIO void touch_in_moved_library(void) {
  kept[7] = malloc(24);
  free(kept[7]);
}
