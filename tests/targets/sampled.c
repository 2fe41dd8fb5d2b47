/* SPDX-License-Identifier: Apache-2.0 */
/* Many blocks of sizes below, about and above the distance between samples; kept, or all freed again. */
#include "tests/targets/sampled.h"

#include "tests/targets/truth.h"

DEFINE_TRUTH();

SCENARIO void keep_small(void) {
  for (int i = 0; i < 40000; ++i) keep(malloc(48));
}
SCENARIO void keep_medium(void) {
  for (int i = 0; i < 4000; ++i) keep(malloc(1000));
}
SCENARIO void keep_large(void) {
  for (int i = 0; i < 300; ++i) keep(malloc(30000));
}
/* What is resized is a new block, to be sampled anew, whether the old one was sampled or not. */
SCENARIO void keep_reallocated(void) {
  for (int i = 0; i < 4000; ++i) keep(realloc(opaque(malloc(500)), 700));
}

/* reallocarray calls realloc: one chance, not two. */
SCENARIO void keep_array(void) {
  for (int i = 0; i < 4000; ++i) keep(reallocarray(NULL, 8, 100));
}
/* Taken by mmap inside malloc. */
SCENARIO void keep_beyond_heap(void) {
  for (int i = 0; i < 20; ++i) keep(malloc(1000000));
}

SCENARIO void free_all(void) {
  for (unsigned i = 0; i < truth_kept_count; ++i) free(truth_kept[i]);
}

#define CALL(function, blocks, bytes) function();
SCENARIO void run_scenario(int free_again) {
  SAMPLED_FUNCTIONS(CALL)
  if (free_again) free_all();
  say("");
}

int main(int argc, char** argv) {
  (void)argv;
  say("ready\n");
  wait_for_line();
  run_scenario(argc > 1);
  say("done\n");
  wait_for_line();
  return 0;
}
