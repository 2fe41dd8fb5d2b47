/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap that knows itself: five threads allocate blocks of all sizes and free half of them at random. What lives
 * is written to a file.
 *
 *   heap_blocks FILE rest   says "ready", and does nothing until its input ends
 *   heap_blocks FILE busy   the same while four threads go on allocating and freeing other blocks
 */
#define _GNU_SOURCE
#include "tests/targets/heap_blocks.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/targets/truth.h"

/* Not mallinfo2, so that it runs with the libraries of old distributions; its heap is small. */
#ifdef __GLIBC__
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif

/* jemalloc, where it was preloaded or linked. */
extern int mallctl(const char*, void*, size_t*, void*, size_t) __attribute__((weak));
/* tcmalloc, the same. */
extern int MallocExtension_GetNumericProperty(const char*, size_t*) __attribute__((weak));

static struct hb_truth* truth;
static void* blocks[HB_THREADS + 1][HB_SLOTS];
static void* churn[HB_THREADS + 1][HB_CHURN];
static atomic_int built;
static atomic_int go_on = 0; /* 1: churn, -1: no more */

static uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

static void* allocate(uint64_t* random) {
  uint64_t dice = next_random(random) % 100;
  size_t size = next_random(random) % (dice < 60 ? 128 : dice < 95 ? 2000 : 40000) + 1;
  char* block = dice % 20 == 7 ? aligned_alloc(64, (size + 63) / 64 * 64) : malloc(size);
  check(block != NULL, "an allocation failed");
  memset(block, 0x5a, size < 64 ? size : 64);
  return block;
}

static void build(long self) {
  uint64_t random = 88172645463325252ull + (uint64_t)self * 7919;
  for (int i = 0; i < HB_SLOTS; i++) blocks[self][i] = allocate(&random);
  for (int i = 0; i < HB_SLOTS; i++) {
    if (next_random(&random) % 2) continue;
    free(blocks[self][i]);
    blocks[self][i] = NULL;
  }
  for (int i = 0; i < HB_SLOTS; i++)
    if (!blocks[self][i] && next_random(&random) % 3 == 0) blocks[self][i] = allocate(&random);
}

static void churn_on(long self) {
  uint64_t random = 362436069 + (uint64_t)self;
  while (atomic_load_explicit(&go_on, memory_order_relaxed) == 1) {
    size_t slot = next_random(&random) % HB_CHURN;
    free(churn[self][slot]);
    churn[self][slot] = allocate(&random);
    __atomic_fetch_add(&truth->operations, 1, __ATOMIC_RELAXED);
  }
}

static void* thread(void* argument) {
  long self = (long)argument;
  build(self);
  atomic_fetch_add(&built, 1);
  while (atomic_load(&go_on) == 0) usleep(1000);
  churn_on(self);
  for (;;) pause();
  return NULL;
}

static void large_blocks(void) {
  for (int i = 0; i < HB_LARGE; i++) {
    free(blocks[0][i]);
    blocks[0][i] = i % 4 == 3 ? aligned_alloc(i == 3 ? 4096 : 256, 1 << 20) : malloc((128u << 10) + 100000u * (unsigned)i);
    memset(blocks[0][i], 1, 5000);
  }
}

static void tell_live(void) {
  unsigned long count = 0;
  for (int t = 0; t <= HB_THREADS; t++)
    for (int i = 0; i < HB_SLOTS; i++)
      if (blocks[t][i])
        truth->blocks[count++] = (struct hb_block){(unsigned long)blocks[t][i], malloc_usable_size(blocks[t][i])};
  truth->live = count;
  if (mallctl) {
    uint64_t epoch = 1;
    size_t size = sizeof epoch, allocated = 0, allocated_size = sizeof allocated;
    if (mallctl("epoch", &epoch, &size, &epoch, size) == 0 &&
        mallctl("stats.allocated", &allocated, &allocated_size, NULL, 0) == 0)
      truth->jemalloc_allocated = allocated;
  }
  if (MallocExtension_GetNumericProperty) {
    size_t allocated = 0;
    if (MallocExtension_GetNumericProperty("generic.current_allocated_bytes", &allocated)) truth->tcmalloc_allocated = allocated;
  }
#ifdef __GLIBC__
  struct mallinfo info = mallinfo();
  truth->has_mallinfo = 1;
  truth->arena = (unsigned)info.arena;
  truth->mapped_blocks = (unsigned)info.hblks;
  truth->mapped_bytes = (unsigned)info.hblkhd;
  truth->in_use = (unsigned)info.uordblks;
  truth->free_bytes = (unsigned)info.fordblks;
#endif
}

int main(int argc, char** argv) {
  check(argc == 3, "heap_blocks FILE rest|busy");
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
  check(fd >= 0 && ftruncate(fd, sizeof *truth) == 0, "cannot make the file");
  truth = mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check(truth != MAP_FAILED, "cannot map the file");
  pthread_t threads[HB_THREADS];
  for (long i = 0; i < HB_THREADS; i++) check(pthread_create(&threads[i], NULL, thread, (void*)(i + 1)) == 0, "no thread");
  build(0);
  large_blocks();
  while (atomic_load(&built) < HB_THREADS) usleep(1000);
  tell_live();
  atomic_store(&go_on, strcmp(argv[2], "busy") == 0 ? 1 : -1);
  say("ready\n");
  wait_for_line();
  atomic_store(&go_on, -1);
  say("done\n");
  wait_for_line();
  return 0;
}
