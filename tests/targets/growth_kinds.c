/* SPDX-License-Identifier: Apache-2.0 */
/* Grows in one way, between the two lines "ready" and "done": growth_kinds WAY. */
#define _GNU_SOURCE
#include "tests/targets/growth_kinds.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/scenario.h"

static void *kept[GK_CACHE_BLOCKS];
static char *reserved;
static sem_t finished;

/* ---- the heap ---- */

NOINLINE static void cache_put(unsigned i) {
  free(kept[i % GK_CACHE_BLOCKS]);
  kept[i % GK_CACHE_BLOCKS] = malloc(GK_CACHE_SIZE);
  memset(kept[i % GK_CACHE_BLOCKS], 1, GK_CACHE_SIZE);
}
static void replace_cache(void) {
  for (unsigned i = 0; i < GK_CACHE_BLOCKS; i++) cache_put(i);
}

NOINLINE static void keep(void) {
  for (unsigned i = 0; i < GK_BYTES / 1000; i++) {
    void **block = malloc(1000);
    memset(block, 1, 1000);
    *block = kept[0];
    kept[0] = block;
  }
}

/* Everything is freed but the last block, which lies at the top of the thread's arena. */
static void *pass(void *unused) {
  static __thread void *blocks[GK_PASS_BLOCKS];
  (void)unused;
  for (int i = 0; i < GK_PASS_BLOCKS; i++) memset(blocks[i] = malloc(GK_PASS_SIZE), 1, GK_PASS_SIZE);
  *(void *volatile *)&blocks[0] = blocks[0];
  void *volatile pin = malloc(2000);
  (void)pin;
  for (int i = 0; i < GK_PASS_BLOCKS; i++) free(blocks[i]);
  sem_post(&finished);
  for (;;) pause();
  return NULL;
}
static void high_water(void) {
  for (int i = 0; i < GK_PASS_THREADS; i++) start(pass, NULL, "pass");
  for (int i = 0; i < GK_PASS_THREADS; i++) sem_wait(&finished);
}

/* ---- mappings ---- */

NOINLINE static void map_anonymous(void) {
  memset(mmap(NULL, GK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, GK_BYTES);
}

NOINLINE static void map_memfd(void) {
  int file = memfd_create("frame", 0);
  if (ftruncate(file, GK_BYTES)) abort();
  memset(mmap(NULL, GK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), 1, GK_BYTES);
  close(file);
}

NOINLINE static void attach_segment(void) {
  int id = shmget(IPC_PRIVATE, GK_BYTES, IPC_CREAT | 0600);
  void *segment = shmat(id, NULL, 0);
  shmctl(id, IPC_RMID, NULL);
  memset(segment, 1, GK_BYTES);
}

/* Address space without memory, and given back. */
NOINLINE static void reserve_only(void) {
  char *space = mmap(NULL, GK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  mmap(space + 4096, GK_BYTES / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  munmap(space, GK_BYTES);
}

/* As runtimes do: reserved long ago, made usable piece by piece. */
static void reserve(void) { reserved = mmap(NULL, 1UL << 32, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }
NOINLINE static void extend(void) {
  mprotect(reserved, GK_BYTES, PROT_READ | PROT_WRITE);
  memset(reserved, 1, GK_BYTES);
}

/* By the kernel, on the process's behalf. */
NOINLINE static void read_into(void) {
  char *buffer = mmap(NULL, GK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int file = open("/dev/zero", O_RDONLY);
  for (size_t done = 0; done < GK_BYTES;) {
    ssize_t got = read(file, buffer + done, GK_BYTES - done);
    if (got <= 0) abort();
    done += (size_t)got;
  }
  close(file);
}

/* Anonymous memory that nobody writes is the kernel's one page of zeros. */
NOINLINE static void read_zeros(void) {
  volatile char *zeros = mmap(NULL, GK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < GK_BYTES; i += 4096) (void)zeros[i];
}

/* Touched, and given back in both ways; twice at the same addresses. */
NOINLINE static void give_back(void) {
  char *memory = mmap(NULL, GK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 2; i++) {
    memset(memory, 1, GK_BYTES);
    madvise(memory, GK_BYTES, MADV_DONTNEED);
  }
  memset(memory, 1, GK_BYTES);
  munmap(memory, GK_BYTES);
}

/* Given back by one, and touched again by another at the same addresses. */
NOINLINE static void touch_for_good(char *memory) { memset(memory, 1, GK_BYTES); }
NOINLINE static void touch_for_a_while(char *memory) { memset(memory, 1, GK_BYTES); }
static void pass_on(void) {
  char *memory = mmap(NULL, GK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  touch_for_a_while(memory);
  madvise(memory, GK_BYTES, MADV_DONTNEED);
  touch_for_good(memory);
}

/* By a child, when it is told to. */
static void grow_in_child(void) {
  char line[16];
  pid_t child = fork();
  if (child == 0) {
    puts("child waits");
    fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
    map_anonymous();
    puts("child did it");
    fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

/* ---- stacks ---- */

static sem_t deeper;
NOINLINE static int parse_value(int depth) {
  volatile char text[1024];
  for (unsigned i = 0; i < sizeof text; i += 64) text[i] = (char)depth;
  return depth ? parse_value(depth - 1) + text[5] : text[0];
}
static void *parse(void *unused) {
  (void)unused;
  sem_wait(&deeper);
  parse_value(GK_BYTES / 4 / 1100);
  sem_post(&finished);
  for (;;) pause();
  return NULL;
}
static void start_parsers(void) {
  for (int i = 0; i < 4; i++) start(parse, NULL, "parser");
}
static void parse_deeply(void) {
  for (int i = 0; i < 4; i++) sem_post(&deeper);
  for (int i = 0; i < 4; i++) sem_wait(&finished);
}

static const struct {
  const char *name;
  void (*before)(void), (*grow)(void);
} ways[] = {
    {"cache", replace_cache, replace_cache}, {"keep", NULL, keep},      {"high_water", NULL, high_water},
    {"anonymous", NULL, map_anonymous},      {"memfd", NULL, map_memfd}, {"segment", NULL, attach_segment},
    {"reserve", NULL, reserve_only},         {"extend", reserve, extend}, {"stacks", start_parsers, parse_deeply},
    {"read_into", NULL, read_into},          {"read_zeros", NULL, read_zeros}, {"give_back", NULL, give_back},
    {"pass_on", NULL, pass_on},              {"in_child", NULL, grow_in_child},
};

int main(int argc, char **argv) {
  char line[16];
  sem_init(&finished, 0, 0);
  sem_init(&deeper, 0, 0);
  free(malloc(1000));
  for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
    if (argc < 2 || strcmp(ways[i].name, argv[1])) continue;
    if (ways[i].before) ways[i].before();
    puts("ready");
    fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
    ways[i].grow();
    puts("done");
    fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
    return 0;
  }
  fprintf(stderr, "no such way\n");
  return 2;
}
