// SPDX-License-Identifier: Apache-2.0
// Threads that end with blocks in glibc's cache, which it gives back by free(): nothing is older than the program.
#include <pthread.h>
#include <stdlib.h>

static void* work(void* unused) {
  void* volatile blocks[7];
  for (int i = 0; i < 7; i++) blocks[i] = malloc(64);
  for (int i = 0; i < 7; i++) free(blocks[i]);
  return unused;
}

int main(void) {
  for (int i = 0; i < 20; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL)) return 1;
    pthread_join(thread, NULL);
  }
  return 0;
}
