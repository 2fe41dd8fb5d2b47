/* SPDX-License-Identifier: Apache-2.0 */
/* Address space that the program takes by itself: mmap, mremap, munmap and brk, whole and in parts. */
#define _GNU_SOURCE
#include "tests/targets/mappings.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

#define PAGES(n) ((size_t)(n) * 4096)

#define INLINED static inline __attribute__((always_inline)) /* the scenario itself makes the calls */

INLINED char* map(size_t bytes, int protection, int flags, void* address) {
  void* mapped = mmap(address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  check(mapped != MAP_FAILED, "mmap failed");
  return keep(mapped);
}
#define MAP(pages) map(PAGES(pages), PROT_READ | PROT_WRITE, 0, NULL)

INLINED void unmap(char* address, int pages) { check(munmap(address, PAGES(pages)) == 0, "munmap failed"); }

SCENARIO void keep_anonymous(void) {
  for (int i = 0; i < 2; ++i) memset(MAP(10), 1, 5000);
}

SCENARIO void map_and_unmap(void) {
  for (int i = 0; i < 20; ++i) unmap(MAP(16), 16);
}

SCENARIO void keep_odd_size(void) { map(PAGES(2) + 1, PROT_READ | PROT_WRITE, 0, NULL); }

SCENARIO void map_refused(void) {
  check(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, "mmap of nothing must fail");
  check(mmap(NULL, opaque_size(SIZE_MAX / 2), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
        "mmap of nearly everything must fail");
}

SCENARIO void keep_after_refused_unmap(void) {
  char* mapped = MAP(4);
  check(munmap(mapped + 1, PAGES(1)) != 0, "munmap of an unaligned address must fail");
  check(munmap(mapped, 0) != 0, "munmap of nothing must fail");
  check(munmap(mapped, opaque_size(SIZE_MAX - PAGES(1))) != 0, "munmap of nearly everything must fail");
}

SCENARIO void unmap_middle(void) { unmap(MAP(10) + PAGES(4), 2); }

SCENARIO void unmap_both_ends(void) {
  char* mapped = MAP(10);
  unmap(mapped, 2);
  unmap(mapped + PAGES(7), 3);
}

/* One munmap that takes the end of one mapping and the beginning of the next. */
SCENARIO void unmap_across(void) {
  char* place = MAP(10);
  map(PAGES(5), PROT_READ | PROT_WRITE, MAP_FIXED, place + PAGES(5));
  unmap(place + PAGES(3), 4);
}

static char* to_grow;
SCENARIO void grown_later(void) { to_grow = MAP(4); }
SCENARIO void remap_grown(void) {
  char* mapped = mremap(to_grow, PAGES(4), PAGES(16), MREMAP_MAYMOVE);
  check(mapped != MAP_FAILED, "mremap failed");
  keep(mapped);
}

SCENARIO void remap_shrunk(void) {
  char* mapped = MAP(10);
  check(mremap(mapped, PAGES(10), PAGES(3), 0) == mapped, "a mapping must shrink where it is");
}

SCENARIO void remap_refused(void) {
  char* mapped = MAP(4);
  check(mremap(mapped, PAGES(4), SIZE_MAX / 2, MREMAP_MAYMOVE) == MAP_FAILED,
        "mremap to nearly everything must fail");
}

static char *place, *to_move;
SCENARIO void place_for_the_move(void) { place = map(PAGES(32), PROT_NONE, MAP_NORESERVE, NULL); }
SCENARIO void moved_later(void) { to_move = MAP(8); }
SCENARIO void remap_moved(void) {
  char* to = place + PAGES(8);
  check(mremap(to_move, PAGES(8), PAGES(8), MREMAP_MAYMOVE | MREMAP_FIXED, to) == to, "mremap failed");
}

SCENARIO void remap_leaving_the_old(void) {
  char* mapped = mremap(MAP(5), PAGES(5), PAGES(5), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  check(mapped != MAP_FAILED, "mremap that leaves the old mapping failed");
  keep(mapped);
}

static char* below;
SCENARIO void mapped_below(void) { below = MAP(8); }
SCENARIO void mapped_over(void) { map(PAGES(3), PROT_READ | PROT_WRITE, MAP_FIXED, below + PAGES(2)); }

/* Address space and no memory: what is made usable later stays where it was reserved. */
SCENARIO void keep_reservation(void) {
  char* reserved = map(PAGES(1000), PROT_NONE, MAP_NORESERVE, NULL);
  check(mprotect(reserved, PAGES(10), PROT_READ | PROT_WRITE) == 0, "mprotect failed");
}

INLINED char* map_program(size_t bytes) {
  int fd = open("/proc/self/exe", O_RDONLY);
  void* mapped = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  check(mapped != MAP_FAILED, "mmap of the program failed");
  close(fd);
  return keep(mapped);
}
SCENARIO void keep_file(void) { map_program(PAGES(2)); }
SCENARIO void file_and_unmap(void) { unmap(map_program(PAGES(2)), 2); }

#ifdef __GLIBC__
SCENARIO void keep_sbrk(void) {
  keep(sbrk(PAGES(20)));
  keep(sbrk(-(intptr_t)PAGES(8)));
}

SCENARIO void keep_brk(void) {
  char* end = sbrk(0);
  check(brk(end + PAGES(10)) == 0, "brk failed");
  check(brk(end + PAGES(6)) == 0, "brk failed");
  check(brk((char*)opaque_size(SIZE_MAX / 2)) != 0, "a break beyond everything must fail");
}
#endif

#define CALL(function, kind, mappings, pages) function();
SCENARIO void run_scenario(void) {
  MAPPING_FUNCTIONS(CALL)
#ifdef __GLIBC__
  BREAK_FUNCTIONS(CALL)
#endif
  say("");
}

DEFINE_MAIN(run_scenario);
