/* SPDX-License-Identifier: Apache-2.0 */
/* A program that leaks, always the same: for comparing what different tools say of it. Waits for nothing. */
#define _GNU_SOURCE
#include "tests/targets/leaks.h"

#include <pthread.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

SCENARIO __attribute__((constructor)) void leak_before_main(void) {
  for (int i = 0; i < 3; ++i) opaque(malloc(500));
}

SCENARIO void leak_malloc(void) {
  for (int i = 0; i < 10; ++i) opaque(malloc(100));
}
SCENARIO void leak_calloc(void) {
  for (int i = 0; i < 5; ++i) opaque(calloc(8, 20));
}
SCENARIO void leak_realloc(void) {
  for (int i = 0; i < 3; ++i) opaque(realloc(opaque(malloc(10)), 700));
}
SCENARIO void leak_posix_memalign(void) {
  for (int i = 0; i < 2; ++i) {
    void* block = NULL;
    check(posix_memalign(&block, 64, 256) == 0, "posix_memalign failed");
    opaque(block);
  }
}
SCENARIO void leak_strdup(void) {
  for (int i = 0; i < 7; ++i) opaque(strdup("again"));
}
SCENARIO void leak_list(void) {
  void** last = NULL;
  for (int i = 0; i < 50; ++i) {
    void** item = opaque(malloc(32));
    *item = last;
    last = item;
  }
}

SCENARIO void* leak_in_thread(void* unused) {
  for (int i = 0; i < 20; ++i) opaque(malloc(90));
  return unused;
}

/* The same place in the code, called from two. */
SCENARIO void* helper(size_t size) { return opaque(malloc(size)); }
SCENARIO void leak_by_one_helper(void) {
  for (int i = 0; i < 4; ++i) opaque(helper(41));
}
SCENARIO void leak_by_other_helper(void) {
  for (int i = 0; i < 6; ++i) opaque(helper(43));
}

SCENARIO void leak_nothing(void) {
  for (int i = 0; i < 1000; ++i) free(opaque(malloc(123)));
}

int main(void) {
  leak_malloc();
  leak_calloc();
  leak_realloc();
  leak_posix_memalign();
  leak_strdup();
  leak_list();
  leak_by_one_helper();
  leak_by_other_helper();
  leak_nothing();
  pthread_t thread;
  check(pthread_create(&thread, NULL, leak_in_thread, NULL) == 0, "no thread");
  pthread_join(thread, NULL);
  return 0;
}
