// SPDX-License-Identifier: Apache-2.0
// A program without a C library: says that it runs, and waits. With GO_SECTION it carries the mark of a Go
// program.
#ifdef GO_SECTION
__asm__(".pushsection .gopclntab,\"a\"\n.quad 1\n.popsection");
#endif
#ifdef __x86_64__
__asm__(".globl _start\n_start: mov $1, %eax\n mov $1, %edi\n lea byte(%rip), %rsi\n mov $1, %edx\n syscall\n"
        "1: mov $34, %eax\n syscall\n jmp 1b\n byte: .byte 46");
#else
__asm__(".globl _start\n_start: mov $4, %eax\n mov $1, %ebx\n mov $byte, %ecx\n mov $1, %edx\n int $0x80\n"
        "1: mov $29, %eax\n int $0x80\n jmp 1b\n byte: .byte 46");
#endif
