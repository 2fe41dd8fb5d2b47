// SPDX-License-Identifier: Apache-2.0
// Wrappers as programs have them: what they call is probed, they are not.
#include <stdlib.h>
void *xmalloc(size_t size) {
  void *block = malloc(size);
  if (!block) abort();
  return block;
}
void xfree(void *block) { free(block); }
void *xcalloc(size_t count, size_t size) { return calloc(count, size); }
void *xrealloc(void *block, size_t size) { return realloc(block, size); }
void *_Znwm(size_t size) {
  void *block = malloc(size ? size : 1);
  if (!block) abort();
  return block;
}
void _ZdlPv(void *block) { free(block); }
