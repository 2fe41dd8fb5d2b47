// SPDX-License-Identifier: Apache-2.0
// Loaded by cases.c while it runs.
__attribute__((noinline)) void call_back_inner(void (*function)(void)) {
  function();
  __asm__ volatile("" ::: "memory");
}
void call_back(void (*function)(void)) {
  call_back_inner(function);
  __asm__ volatile("" ::: "memory");
}
