/* SPDX-License-Identifier: Apache-2.0 */
/* Code that is made while the program runs, as a JIT compiler makes it: written first, executable by mprotect, which
 * tells nobody, and called at once. Each piece calls malloc through a function of ours. */
#include "tests/targets/generated_code.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

SCENARIO void keep_block(void) { keep(malloc(GENERATED_BYTES)); }

/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static const unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

SCENARIO void run_generated(void) {
  for (int i = 0; i < GENERATED_PIECES; ++i) {
    void* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code, kCode, sizeof kCode);
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    void (*call)(void (*)(void)) = (void (*)(void (*)(void)))(unsigned long)code;
    call(keep_block);
  }
  say("");
}

DEFINE_MAIN(run_generated);
