// SPDX-License-Identifier: Apache-2.0
// The names of a jemalloc built with a prefix, and one function beside them that is none of its own.
#include <stddef.h>
static char memory[4096];
static size_t used;
static void *take(size_t size) { return memory + (used += size); }
void *my_malloc(size_t size) { return take(size); }
void my_free(void *block) { used -= block != 0; }
void *my_realloc(void *block, size_t size) { return block ? block : take(size + 1); }
void *my_mallocx(size_t size, int flags) { return take(size + (size_t)flags); }
void my_sdallocx(void *block, size_t size, int flags) { used -= block ? size + (size_t)flags : 0; }
int my_mallctl(const char *name) { return *name; }
void *my_helper(size_t size) { return take(size + 2); }
