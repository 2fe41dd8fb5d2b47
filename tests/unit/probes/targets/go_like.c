// SPDX-License-Identifier: Apache-2.0
// The marks of a Go program around one allocator, and the C allocator that cgo links in behind it.
#include <stddef.h>
static char memory[1 << 16];
static size_t used;
__asm__(".pushsection .gopclntab,\"a\"\n.quad 1\n.popsection\n.globl runtime.text\n.text\nruntime.text:");
void *tc_malloc(size_t size) { return memory + (used += size); }
void tc_free(void *block) { used -= block != 0; }
__asm__(".globl runtime.etext\n.text\nruntime.etext:");
void *malloc(size_t size) { return memory + (used += size + 1); }
void free(void *block) { used -= block == 0; }
