// SPDX-License-Identifier: Apache-2.0
// An allocator with aliases, forwarders, and functions that only look like forwarders.
#include <stddef.h>
#define ALIAS(of) __attribute__((alias(#of)))
static char memory[1 << 16];
static size_t used;
void *malloc(size_t size) { return memory + (used += size); }
void *__libc_malloc(size_t size) ALIAS(malloc);
void *tc_malloc(size_t size) ALIAS(malloc);
void free(void *block) {
  if (block) used -= 1;
}
void tc_free(void *block) ALIAS(free);
void *memalign(size_t alignment, size_t size) { return memory + (used += size + alignment); }
void *valloc(size_t size) { return memalign(4096, size); }
void *_Znwm(size_t size) { return size < 64 ? memory + (used += 64) : malloc(size); }
void _ZdlPv(void *block) { free(block); }
void *mmap(void *address, size_t size) { return size ? memory : address; }
