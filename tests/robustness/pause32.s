# SPDX-License-Identifier: Apache-2.0
# pause() for ever, as a 32-bit process.
  .globl _start
_start:
  mov $29, %eax
  int $0x80
  jmp _start
