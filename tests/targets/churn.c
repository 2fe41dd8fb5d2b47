/* SPDX-License-Identifier: Apache-2.0 */
/* Allocates and frees as fast as it can, until it is told to end. */
#include <pthread.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

static volatile int ends;

SCENARIO void allocate_and_free(void) {
  void* blocks[64];
  for (int i = 0; i < 64; ++i) blocks[i] = opaque(malloc(64));
  for (int i = 0; i < 64; ++i) free(blocks[i]);
}

static void* churn(void* unused) {
  while (!ends) allocate_and_free();
  return unused;
}

int main(void) {
  pthread_t thread;
  say("ready\n");
  wait_for_line();
  check(pthread_create(&thread, NULL, churn, NULL) == 0, "no thread could be made");
  say("running\n");
  wait_for_line();
  ends = 1;
  pthread_join(thread, NULL);
  say("done\n");
  wait_for_line();
  return 0;
}
