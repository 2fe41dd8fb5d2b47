// SPDX-License-Identifier: Apache-2.0
// A program that calls an allocation function as often as it is told to, and allocates nothing otherwise.
//
// It reads lines "OPERATION FUNCTION COUNT" and answers each with one byte: '.' when done, '?' if it has no
// such function. Reads and writes are bare system calls: stdio would allocate.
#define _GNU_SOURCE
#ifndef STATIC_TARGET
#include <dlfcn.h>
#endif
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kBlocks = 512, kSize = 128, kAlignment = 64 };

typedef uintptr_t (*Function)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);

static void *blocks[kBlocks];
static void *mapped[kBlocks];

static const struct {
  const char *name;
  void *function;
} kLinked[] = {
    {"malloc", malloc},     {"calloc", calloc}, {"realloc", realloc}, {"free", free}, {"posix_memalign", posix_memalign},
    {"aligned_alloc", aligned_alloc}, {"mmap", mmap}, {"munmap", munmap}, {"mremap", mremap}, {"sbrk", sbrk},
    {"memalign", memalign}, {"brk", brk},
};

static Function find(const char *name) {
  for (size_t i = 0; i < sizeof kLinked / sizeof *kLinked; ++i)
    if (!strcmp(kLinked[i].name, name)) return (Function)kLinked[i].function;
#ifdef STATIC_TARGET
  return 0;
#else
  return (Function)dlsym(RTLD_DEFAULT, name);
#endif
}

static int contains(const char *text, const char *part) { return strstr(text, part) != 0; }

// The second argument of a function that frees: a size, an alignment, or flags.
static uintptr_t freeing_argument(const char *name, int which) {
  if (contains(name, "dallocx")) return which == 1 && name[strlen(name) - 8] == 's' ? kSize : 0;
  int sized = contains(name, "Pvm") || contains(name, "size");
  int aligned = contains(name, "align");
  if (which == 1) return sized ? kSize : aligned ? kAlignment : 0;
  return sized && aligned ? kAlignment : 0;
}

static uintptr_t default_heap(void) {
  Function get = find("mi_heap_get_default");
  return get ? get(0, 0, 0, 0, 0, 0) : 0;
}

static int run(const char *operation, const char *name, int count) {
  Function f = find(name);
  if (!f) return 0;
  uintptr_t alignment = contains(name, "mallocx") || contains(name, "rallocx") ? 0 : kAlignment;
  uintptr_t heap = contains(name, "mi_heap") ? default_heap() : 0;
  void *end = !strcmp(operation, "brk") ? sbrk(0) : 0;
  for (int i = 0; i < count; ++i) {
    if (!strcmp(operation, "size0")) blocks[i] = (void *)f(kSize, alignment, 0, 0, 0, 0);
    else if (!strcmp(operation, "size1") && heap) blocks[i] = (void *)f(heap, kSize, alignment, 0, 0, 0);
    else if (!strcmp(operation, "size1")) blocks[i] = (void *)f(kAlignment, kSize, 0, 0, 0, 0);
    else if (!strcmp(operation, "product0")) blocks[i] = (void *)f(2, kSize / 2, kAlignment, 0, 0, 0);
    else if (!strcmp(operation, "product1")) blocks[i] = (void *)f(heap, 2, kSize / 2, kAlignment, 0, 0);
    else if (!strcmp(operation, "out")) f((uintptr_t)&blocks[i], kAlignment, kSize, 0, 0, 0);
    else if (!strcmp(operation, "realloc0")) blocks[i] = (void *)f((uintptr_t)blocks[i], kSize, alignment, 0, 0, 0);
    else if (!strcmp(operation, "realloc1")) blocks[i] = (void *)f(heap, (uintptr_t)blocks[i], kSize, alignment, 0, 0);
    else if (!strcmp(operation, "array0")) blocks[i] = (void *)f((uintptr_t)blocks[i], 2, kSize / 2, alignment, 0, 0);
    else if (!strcmp(operation, "array1")) blocks[i] = (void *)f(heap, (uintptr_t)blocks[i], 2, kSize / 2, alignment, 0);
    else if (!strcmp(operation, "xallocx")) f((uintptr_t)blocks[i], kSize, 0, 0, 0, 0);
    else if (!strcmp(operation, "free"))
      f((uintptr_t)blocks[i], freeing_argument(name, 1), freeing_argument(name, 2), 0, 0, 0);
    else if (!strcmp(operation, "mmap"))
      mapped[i] = (void *)f(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uintptr_t)-1, 0);
    else if (!strcmp(operation, "mremap")) mapped[i] = (void *)f((uintptr_t)mapped[i], 8192, 8192, MREMAP_MAYMOVE, 0, 0);
    else if (!strcmp(operation, "munmap")) f((uintptr_t)mapped[i], 8192, 0, 0, 0, 0);
    else if (!strcmp(operation, "sbrk")) f(0, 0, 0, 0, 0, 0);
    else if (!strcmp(operation, "brk")) f((uintptr_t)end, 0, 0, 0, 0, 0);
    else return 0;
  }
  return 1;
}

static int read_line(char *line, int size) {
  int length = 0;
  while (length + 1 < size && read(0, line + length, 1) == 1 && line[length] != '\n') ++length;
  line[length] = 0;
  return length;
}

int main(void) {
  char line[256], operation[32], name[128];
  int count;
  // Whatever an allocator does only the first time is done now.
  void *first = 0;
  if (posix_memalign(&first, kAlignment, kSize)) return 1;
  free(realloc(calloc(2, kSize), kSize / 2));
  free(first);
  if (write(1, "+", 1) != 1) return 1;
  while (read_line(line, sizeof line)) {
    int known = sscanf(line, "%31s %127s %d", operation, name, &count) == 3 && count <= kBlocks && run(operation, name, count);
    if (write(1, known ? "." : "?", 1) != 1) return 1;
  }
  return 0;
}
