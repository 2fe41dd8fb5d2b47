// SPDX-License-Identifier: Apache-2.0
// call_load open|nothing: a process that opens and closes /dev/null below ten calls, or does nothing in the kernel (getppid). Each
// line of input is answered with the nanoseconds that a turn took, over a fifth of a second.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

__attribute__((noinline)) static int open_one(int depth) {
  int fd = depth > 0 ? open_one(depth - 1) : open("/dev/null", O_RDONLY);
  __asm__ volatile("" : "+r"(fd));
  return fd;
}

int main(int argc, char **argv) {
  int opens = argc > 1 && !strcmp(argv[1], "open");
  for (char line[16]; fgets(line, sizeof line, stdin);) {
    long turns = 0;
    double start = now(), end;
    do {
      for (int i = 0; i < 100; i++, turns++) {
        if (!opens)
          syscall(SYS_getppid);
        else if (close(open_one(10)))
          abort();
      }
    } while ((end = now()) < start + 2e8);
    printf("%.1f\n", (end - start) / (double)turns);
    fflush(stdout);
  }
  return 0;
}
