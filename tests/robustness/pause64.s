# SPDX-License-Identifier: Apache-2.0
# pause() for ever: a process without a libc, and so without an allocator.
  .globl _start
_start:
  mov $34, %eax
  syscall
  jmp _start
