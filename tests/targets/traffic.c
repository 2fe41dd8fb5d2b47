/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that leaks amid much temporary traffic, and keeps the count of what it retains. traffic [TIMES [KIND]]: TIMES as
 * many temporaries. Each millisecond: leaks, temporaries of the same size, a session, entries of a cache (traffic.h).
 * KIND "equal": blocks of a kind have equal contents; "counted": each has a word that changes every 2 ms; "bursts": there are bursts of
 * blocks that stay.
 * A line on stdin: it prints, for each function, the bytes that it retains.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <time.h>

#include "tests/targets/traffic.h"
#include "tests/targets/truth.h"

DEFINE_TRUTH();

enum kind { UNIQUE, EQUAL, COUNTED, BURSTS };
static enum kind kind;
static unsigned long numbers, now_ms;

struct block {
  unsigned long type, number, counter;
  struct block* next;
  unsigned long born_ms;
};

static struct block* filled(void* memory, unsigned long type) {
  struct block* block = memory;
  block->type = type;
  block->number = kind == EQUAL ? 7 : ++numbers;
  block->counter = 0;
  block->next = NULL;
  block->born_ms = kind == EQUAL ? 0 : now_ms;
  return block;
}

/* What a program does between two allocations: about a microsecond and a half. */
SCENARIO static void compute(void) {
  static unsigned long state = 1;
  for (int i = 0; i < 1000; ++i) state = state * 6364136223846793005ul + 1;
}

static struct block* leaked;

SCENARIO void leak_one(void) {
  struct block* block = filled(opaque(malloc(TRAFFIC_LEAK_BYTES)), 0x1000);
  block->next = leaked;
  leaked = block;
}

SCENARIO void make_temporary(void) {
  static struct block* recent[16];
  static unsigned at;
  free(recent[at]);
  recent[at] = filled(opaque(malloc(TRAFFIC_LEAK_BYTES)), 0x2000);
  at = (at + 1) % 16;
}

static struct block* sessions[TRAFFIC_SESSION_MS];

SCENARIO void begin_session(void) {
  struct block** slot = &sessions[now_ms % TRAFFIC_SESSION_MS];
  free(*slot);
  *slot = filled(opaque(malloc(TRAFFIC_SESSION_BYTES)), 0x3000);
}

static struct block* cache[TRAFFIC_CACHE_ENTRIES];

SCENARIO void put_into_cache(void) {
  static unsigned long random = 12345;
  random = random * 6364136223846793005ul + 1442695040888963407ul;
  unsigned victim = (random >> 33) % TRAFFIC_CACHE_ENTRIES;
  free(cache[victim]);
  cache[victim] = filled(opaque(malloc(TRAFFIC_CACHE_BYTES)), 0x4000);
}

static struct block* kept;

SCENARIO void burst_one(void) {
  struct block* block = filled(opaque(malloc(TRAFFIC_BURST_BYTES)), 0x5000);
  memset(block + 1, 1, TRAFFIC_BURST_BYTES - sizeof *block);
  block->next = kept;
  kept = block;
}

static unsigned long burst(void) {
  if (kind != BURSTS || now_ms % TRAFFIC_BURST_EVERY_MS < TRAFFIC_BURST_EVERY_MS - TRAFFIC_BURST_MS) return 0;
  for (int i = 0; i < TRAFFIC_BURST_BLOCKS; ++i) burst_one();
  return TRAFFIC_BURST_BLOCKS;
}

static void count_up(void) {
  if (kind != COUNTED || now_ms % 2) return;
  for (int i = 0; i < TRAFFIC_CACHE_ENTRIES; ++i)
    if (cache[i]) ++cache[i]->counter;
  int most = 20000;
  for (struct block* block = leaked; block && most; block = block->next, --most) ++block->counter;
}

static void say_truth(unsigned long leaks, unsigned long in_bursts) {
  unsigned long sessions_left = 0, cached = 0;
  for (int i = 0; i < TRAFFIC_SESSION_MS; ++i) sessions_left += sessions[i] != NULL;
  for (int i = 0; i < TRAFFIC_CACHE_ENTRIES; ++i) cached += cache[i] != NULL;
  dprintf(1, "burst_one %lu\nleak_one %lu\nmake_temporary %d\nbegin_session %lu\nput_into_cache %lu\nms %lu\n", in_bursts * TRAFFIC_BURST_BYTES, leaks * TRAFFIC_LEAK_BYTES,
      16 * TRAFFIC_LEAK_BYTES, sessions_left * TRAFFIC_SESSION_BYTES, cached * TRAFFIC_CACHE_BYTES, now_ms);
}

static int told(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) > 0;
}

int main(int argc, char** argv) {
  int times = argc > 1 ? atoi(argv[1]) : 1;
  if (argc > 2 && !strcmp(argv[2], "equal")) kind = EQUAL;
  if (argc > 2 && !strcmp(argv[2], "counted")) kind = COUNTED;
  if (argc > 2 && !strcmp(argv[2], "bursts")) kind = BURSTS;
  struct timespec next;
  say("ready\n");
  wait_for_line();
  say("running\n");
  clock_gettime(CLOCK_MONOTONIC, &next);
  unsigned long leaks = 0, in_bursts = 0;
  for (;; ++now_ms) {
    for (int i = 0; i < TRAFFIC_TEMPORARIES * times; ++i) {
      make_temporary();
      compute();
    }
    for (int i = 0; i < TRAFFIC_LEAKS; ++i) leak_one();
    begin_session();
    put_into_cache();
    put_into_cache();
    count_up();
    in_bursts += burst();
    leaks += TRAFFIC_LEAKS;
    next.tv_nsec += 1000000;
    if (next.tv_nsec >= 1000000000) next.tv_nsec -= 1000000000, ++next.tv_sec;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    if (now_ms % 16 == 0 && told()) break;
  }
  say_truth(leaks, in_bursts);
  wait_for_line();
  wait_for_line();
  return 0;
}
