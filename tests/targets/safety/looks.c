// SPDX-License-Identifier: Apache-2.0
// Programs that look at their own stack and at their own code, and change the latter.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unwind.h>

#include "cases.h"

static int frames_seen;
static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *unused) {
  (void)unused;
  frames_seen += _Unwind_GetIP(context) != 0;
  return _URC_NO_REASON;
}
__attribute__((noinline)) static int depth_by_unwinder(int depth) {
  if (depth > 0) return depth_by_unwinder(depth - 1) + 0 * (int)(size_t)keep(&depth);
  frames_seen = 0;
  _Unwind_Backtrace(count_frame, NULL);
  return frames_seen;
}
static const char *unwinder(void) {
  int shallow = depth_by_unwinder(0), deep = depth_by_unwinder(20);
  free(keep(malloc(10)));
  return deep - shallow == 20 ? "20 deeper" : "wrong depth";
}

__attribute__((noinline)) static int depth_by_backtrace(int depth) {
  void *frames[100];
  if (depth > 0) return depth_by_backtrace(depth - 1) + 0 * (int)(size_t)keep(&depth);
  return backtrace(frames, 100);
}
static int compare_by_depth(const void *a, const void *b) {
  free(keep(malloc(20)));
  frames_seen += depth_by_backtrace(10) > 13;
  return *(const int *)a - *(const int *)b;
}
static const char *backtrace_below_qsort(void) {
  int numbers[] = {4, 2, 3, 1};
  frames_seen = 0;
  qsort(numbers, 4, sizeof(int), compare_by_depth);
  return frames_seen >= 4 && numbers[0] == 1 ? "sorted" : "stacks are cut";
}

__attribute__((noinline)) static const void *caller(void) { return __builtin_return_address(0); }
static const char *return_addresses(void) {
  Dl_info info;
  free(keep(malloc(30)));
  const void *address = caller();
  if (!dladdr(address, &info)) return "in no module";
  const char *file = strrchr(info.dli_fname, '/');
  return file && strcmp(file, "/safety_looks") == 0 ? "in the program" : "elsewhere";
}

// The bytes of functions that dwell has no business with.
static const char *own_checksum(void) {
  const unsigned char *code = (const unsigned char *)own_checksum;
  static unsigned long first;
  unsigned long sum = 0;
  for (int i = 0; i < 200; i++) sum = sum * 131 + code[i];
  if (!first) first = sum;
  free(keep(malloc(10)));
  return sum == first ? "unchanged" : "changed";
}

__attribute__((noinline, aligned(64))) static int answer(void) {
  __asm__ volatile("");
  return 1;
}
static const char *hot_patch(void) {
  static const unsigned char kReturns42[] = {0xb8, 42, 0, 0, 0, 0xc3};
  unsigned char before[sizeof kReturns42];
  char *page = (char *)((size_t)answer & ~4095ul);
  int (*volatile call)(void) = answer;
  mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
  memcpy(before, (void *)answer, sizeof before);
  memcpy((void *)answer, kReturns42, sizeof before);
  free(keep(malloc(20)));
  int changed = call();
  memcpy((void *)answer, before, sizeof before);
  mprotect(page, 8192, PROT_READ | PROT_EXEC);
  return changed == 42 && call() == 1 ? "42" : "not patched";
}

static const char *generated_code(void) {
  unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int sum = 0;
  for (int i = 0; i < 50; i++) {
    unsigned char code[] = {0xb8, (unsigned char)i, 0, 0, 0, 0xc3};
    memcpy(page, code, sizeof code);
    sum += ((int (*)(void))page)();
    free(keep(malloc(40)));
  }
  munmap(page, 4096);
  return sum == 1225 ? "1225" : "wrong sum";
}

// As container runtimes filter.
static const char *filtered(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 4, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_brk, 2, 0),        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  static int failed = -1;
  if (failed < 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    failed = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  }
  if (failed) return "no filter";
  for (int i = 0; i < 2000; i++) free(keep(malloc(50)));
  return "filtered";
}
static const char *strict(void) {
  free(keep(malloc(50)));
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  for (int i = 0; i < 2000; i++) free(keep(malloc(50)));
  if (write(1, "strict\n", 7) != 7) syscall(SYS_exit, 1);
  syscall(SYS_exit, 7);
  return "went on";
}

static void at_exit(void) {
  free(keep(malloc(100)));
  puts("at exit");
}
static const char *exit_handlers(void) {
  static int failed = -1;
  if (failed < 0) failed = atexit(at_exit);
  return failed ? "not registered" : "registered";
}
static const char *leaves_at_once(void) {
  atexit(at_exit);
  puts("leaves");
  fflush(stdout);
  _exit(6);
}
static const char *aborts(void) {
  puts("aborts");
  fflush(stdout);
  abort();
}

static const struct safety_case cases[] = {
    {"unwinder", unwinder},
    {"backtrace-below-qsort", backtrace_below_qsort},
    {"return-addresses", return_addresses},
    {"own-checksum", own_checksum},
    {"hot-patch", hot_patch},
    {"generated-code", generated_code},
    {"filtered", filtered},
    {"strict", strict},
    {"exit-handlers", exit_handlers},
    {"leaves-at-once", leaves_at_once},
    {"aborts", aborts},
};
int main(int argc, char **argv) { return RUN_CASES(argc, argv, cases); }
