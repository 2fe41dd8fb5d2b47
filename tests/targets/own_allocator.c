/* SPDX-License-Identifier: Apache-2.0 */
/* A program with an allocator of its own in it, that has C23's functions, and takes the place of the library's. */
#include "tests/targets/own_allocator.h"

#include <stdint.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

/* ---- the allocator: blocks one behind the other, each behind its size; the last of a size is given out again ---- */

#define ARENA (8 << 20)
#define SIZES 64
static _Alignas(64) char arena[ARENA];
static size_t used = 48;
static void* free_lists[SIZES];

static size_t rounded(size_t size) { return (size + 127) / 64 * 64; }
static size_t* size_of(void* block) { return (size_t*)((char*)block - 16); }

SCENARIO void* malloc(size_t size) {
  size_t whole = rounded(size), list = whole / 64;
  if (size > ARENA) return NULL;
  if (list < SIZES && free_lists[list]) {
    void* block = free_lists[list];
    free_lists[list] = *(void**)block;
    return block;
  }
  if (used + 16 + whole > ARENA) return NULL;
  void* block = arena + used + 16;
  used += whole;
  *size_of(block) = whole;
  return block;
}

SCENARIO void free(void* block) {
  if (!block) return;
  size_t list = *size_of(block) / 64;
  if (list >= SIZES) return;
  *(void**)block = free_lists[list];
  free_lists[list] = block;
}

SCENARIO void* calloc(size_t count, size_t size) {
  void* block = malloc(count * size);
  if (block) memset(block, 0, count * size);
  return block;
}

SCENARIO void* realloc(void* old, size_t size) {
  void* block = malloc(size);
  if (block && old) {
    size_t old_size = *size_of(old);
    memcpy(block, old, old_size < size ? old_size : size);
    free(old);
  }
  return block;
}

SCENARIO void* aligned_alloc(size_t alignment, size_t size) {
  check(alignment <= 64, "this allocator aligns to 64");
  void* block = malloc(size);
  check((uintptr_t)block % 64 == 0, "a block is not aligned");
  return block;
}

SCENARIO void free_sized(void* block, size_t size) {
  check(!block || rounded(size) == *size_of(block), "a block was freed with a wrong size");
  free(block);
}

SCENARIO void free_aligned_sized(void* block, size_t alignment, size_t size) {
  check((uintptr_t)block % alignment == 0, "a block was freed with a wrong alignment");
  free_sized(block, size);
}

/* ---- the scenario ---- */

SCENARIO void keep_own(void) {
  for (int i = 0; i < 5; ++i) keep(malloc(64));
}
SCENARIO void keep_own_resized(void) { keep(realloc(opaque(calloc(2, 50)), 300)); }
SCENARIO void keep_own_aligned(void) {
  for (int i = 0; i < 2; ++i) keep(aligned_alloc(64, 128));
}
SCENARIO void freed_with_size(void) {
  for (int i = 0; i < 30; ++i) free_sized(opaque(malloc(70)), 70);
}
SCENARIO void freed_with_alignment(void) {
  for (int i = 0; i < 30; ++i) free_aligned_sized(opaque(aligned_alloc(64, 192)), 64, 192);
}
SCENARIO void keep_of_library(void) { keep(strdup("again")); }

#define CALL(function, blocks, bytes) function();
SCENARIO void run_scenario(void) {
  OWN_ALLOCATOR_FUNCTIONS(CALL)
  say("");
}

DEFINE_MAIN(run_scenario);
