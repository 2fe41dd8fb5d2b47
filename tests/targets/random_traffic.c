/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is drawn: random_traffic SEED. Twelve call sites, site_0() to site_11(), each with a size, a rate, contents and a
 * fate of its own; some 100,000 allocations a second. A line on stdin: it prints, for each site, the bytes that it retains.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

enum { SITES = 12, QUEUE = 1 << 21, BURST_EVERY_MS = 5000, BURST_MS = 40, BURST_TIMES = 20 };
enum fate { LEAK, TEMPORARY, REQUEST, SESSION, CACHE, BURST, MIXED, FATES };
enum content { UNIQUE, COUNTED, EQUAL, CONTENTS };

struct site {
  enum fate fate;
  enum content content;
  unsigned size, per_ms_x16, owed; /* sixteenths of blocks a millisecond */
  unsigned lifetime_ms, entries;
  void** queue; /* first in, first out; of a cache: its entries */
  unsigned long* due_ms;
  unsigned long first, last;
  long live;
  unsigned long made;
};

static struct site sites[SITES];
static uint64_t state;
static unsigned long now_ms, numbers;

static unsigned drawn(unsigned from, unsigned to) { /* both included */
  state = state * 6364136223846793005u + 1442695040888963407u;
  return from + (unsigned)(state >> 33) % (to - from + 1);
}

static void draw(struct site* site, unsigned index) {
  static const unsigned sizes[] = {32, 48, 64, 96, 128, 200, 320, 640};
  site->fate = index < 2 ? LEAK : index < 5 ? TEMPORARY : (enum fate)drawn(LEAK, FATES - 1);
  site->content = (enum content)(drawn(0, 9) < 6 ? UNIQUE : drawn(0, 1) ? COUNTED : EQUAL);
  site->size = sizes[drawn(0, 7)];
  site->per_ms_x16 = site->fate == TEMPORARY ? drawn(160, 480) : site->fate == MIXED || site->fate == REQUEST ? drawn(16, 96) : drawn(2, 24);
  site->lifetime_ms = site->fate == SESSION ? drawn(1000, 4000) : drawn(20, 200);
  site->entries = drawn(200, 3000);
  site->queue = mmap(NULL, QUEUE * sizeof(void*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  site->due_ms = mmap(NULL, QUEUE * sizeof(long), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void fill(struct site* site, void* block) {
  unsigned long* words = block;
  words[0] = 0x100000000ul + (unsigned long)(site - sites) * 64;
  words[1] = site->content == EQUAL ? 7 : ++numbers;
  words[2] = 0;
}

static void release(struct site* site, void* block) {
  free(block);
  --site->live;
}

static void push(struct site* site, void* block, unsigned long due_ms) {
  site->queue[site->last % QUEUE] = block;
  site->due_ms[site->last++ % QUEUE] = due_ms;
}

static void release_due(struct site* site) {
  while (site->first < site->last && site->due_ms[site->first % QUEUE] <= now_ms) release(site, site->queue[site->first++ % QUEUE]);
}

static void keep_few(struct site* site, void* block) {
  push(site, block, 0);
  if (site->last - site->first > 16) release(site, site->queue[site->first++ % QUEUE]);
}

static void put(struct site* site, void* block) {
  unsigned long count = site->made++;
  ++site->live;
  fill(site, block);
  switch (site->fate) {
    case LEAK: break;
    case TEMPORARY: keep_few(site, block); break;
    case REQUEST:
    case SESSION: push(site, block, now_ms + site->lifetime_ms); break;
    case CACHE: {
      void** slot = &site->queue[drawn(0, site->entries - 1)];
      if (*slot) release(site, *slot);
      *slot = block;
      break;
    }
    case BURST:
      if (count % 2) push(site, block, now_ms + site->lifetime_ms);
      break;
    default:
      if (count % 100) keep_few(site, block);
  }
}

#define SITE(n) SCENARIO void site_##n(void) { put(&sites[n], opaque(malloc(sites[n].size))); }
SITE(0) SITE(1) SITE(2) SITE(3) SITE(4) SITE(5) SITE(6) SITE(7) SITE(8) SITE(9) SITE(10) SITE(11)
static void (*const functions[SITES])(void) = {site_0, site_1, site_2, site_3, site_4, site_5, site_6, site_7, site_8, site_9, site_10, site_11};

/* What a program does between two allocations. */
SCENARIO static void compute(void) {
  static uint64_t work = 1;
  for (int i = 0; i < 400; ++i) work = work * 6364136223846793005u + 1;
}

static void live_a_millisecond(void) {
  for (unsigned i = 0; i < SITES; ++i) {
    struct site* site = &sites[i];
    if (site->fate != LEAK && site->fate != CACHE && site->fate != TEMPORARY && site->fate != MIXED) release_due(site);
    unsigned times = site->fate != BURST ? 1 : now_ms % BURST_EVERY_MS < BURST_MS ? BURST_TIMES : 0;
    for (site->owed += times * site->per_ms_x16; site->owed >= 16; site->owed -= 16) {
      functions[i]();
      compute();
    }
    if (site->content == COUNTED && site->fate == CACHE)
      for (unsigned k = 0; k < site->entries; ++k)
        if (site->queue[k]) ++((unsigned long*)site->queue[k])[2];
  }
}

static int told(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) > 0;
}

int main(int argc, char** argv) {
  static const char* fates[] = {"leak", "temporary", "request", "session", "cache", "burst", "mixed"};
  struct timespec next;
  state = argc > 1 ? strtoul(argv[1], NULL, 10) * 2654435761u + 1 : 1;
  for (unsigned i = 0; i < SITES; ++i) draw(&sites[i], i);
  say("ready\n");
  wait_for_line();
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;; ++now_ms) {
    live_a_millisecond();
    next.tv_nsec += 1000000;
    if (next.tv_nsec >= 1000000000) next.tv_nsec -= 1000000000, ++next.tv_sec;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    if (now_ms % 16 == 0 && told()) break;
  }
  for (unsigned i = 0; i < SITES; ++i) dprintf(1, "site_%u %ld %s\n", i, sites[i].live * (long)sites[i].size, fates[sites[i].fate]);
  dprintf(1, "ms %lu\n", now_ms);
  wait_for_line();
  wait_for_line();
  return 0;
}
