// SPDX-License-Identifier: Apache-2.0
// Functions that end in all the ways that compilers know, for the search of return instructions. The number of
// those that each of them may reach is in exits_test.cpp.
#define FUNCTION(name, code)                                                                             \
  __asm__(".text\n.p2align 4\n.globl " #name "\n.protected " #name "\n.type " #name ",@function\n" #name ":\n.cfi_startproc\n" \
          code "\n.cfi_endproc\n.size " #name ",.-" #name "\n")

FUNCTION(one_return, "push %rbx\npop %rbx\nret");
FUNCTION(two_returns, "test %rdi,%rdi\nje 1f\nret\n1: xor %eax,%eax\nret");
FUNCTION(slow_way, "mov %rdi,%rax\nret");
__asm__(".text\n.p2align 4\n.globl exported_slow_way\n.type exported_slow_way,@function\nexported_slow_way:\n"
        ".cfi_startproc\nmov %rdi,%rax\nret\n.cfi_endproc\n.size exported_slow_way,.-exported_slow_way\n");
FUNCTION(tail_jump, "test %rdi,%rdi\nje slow_way\nret");
FUNCTION(tail_jump_by_table, "test %rdi,%rdi\nje exported_slow_way@PLT\nret");
FUNCTION(never_comes_back, "call abort@PLT");
FUNCTION(into_the_middle, "test %rdi,%rdi\njne 1f\nret\n1: jmp two_returns+5");
FUNCTION(out_of_memory, "xor %eax,%eax\nret");
FUNCTION(by_register, "lea out_of_memory(%rip),%rcx\ntest %rdi,%rdi\nje 1f\nret\n1: jmp *%rcx");
FUNCTION(by_unknown_register, "test %rdi,%rdi\nje 1f\nret\n1: jmp *%rsi");
FUNCTION(to_malloc, "test %rdi,%rdi\nje 1f\nret\n1: jmp malloc@PLT");
FUNCTION(to_another_module, "test %rdi,%rdi\nje 1f\nret\n1: jmp puts@PLT");
FUNCTION(switches, "lea 3f(%rip),%rdx\nmovslq (%rdx,%rdi,4),%rax\nadd %rdx,%rax\njmp *%rax\n1: ret\n2: ret\n"
                   ".section .rodata\n.p2align 2\n3: .long 1b-3b, 2b-3b\n.text");

// Branches that decide: what is returned is in a register, and nothing can come in between.
FUNCTION(decided, "test %rdi,%rdi\nje 1f\nmov (%rdi),%rdx\nmov %rdi,%rax\nret\n1: call puts@PLT\nret");
FUNCTION(decided_when_taken, "push %rbp\nmov %rsi,%rbp\nmov (%rdi),%rax\ntest %rax,%rax\njne 2f\npop %rbp\njmp slow_way\n"
                             "2: pop %rbp\nret");
FUNCTION(shared_return, "push %rbx\nmov (%rdi),%rax\ntest %rax,%rax\njne 2f\ncall puts@PLT\n2: pop %rbx\nret");
FUNCTION(computed_result, "test %rdi,%rdi\nje 1f\nlea 16(%rdi),%rax\nret\n1: jmp slow_way");
FUNCTION(lost_frame, "mov %rsp,%rcx\nmov %rdi,%rsp\ntest %rdi,%rdi\nje 1f\nmov %rcx,%rsp\nret\n1: jmp slow_way");
FUNCTION(clears_last, "mov %rdi,%rdx\nxor %esi,%esi\ntest %rdi,%rdi\nje 1f\njmp memset@PLT\n1: xor %eax,%eax\nret");
