/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mapping_storm MAPPINGS: has so many executable mappings of a file, says "ready", and then maps and unmaps another
 * one in ever new places, some thousand times a second, as a program does that loads and drops libraries all the
 * time. A line on stdin: it says "mapped N"; another one, and it ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

static void read_line(void) {
  char byte = 0;
  while (read(0, &byte, 1) == 1 && byte != '\n') continue;
}

int main(int argc, char** argv) {
  unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, places = 512, mapped = 0;
  int file = open("/proc/self/exe", O_RDONLY);
  char* base = mmap(NULL, 2 * count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* storm = mmap(NULL, places * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (file < 0 || base == MAP_FAILED || storm == MAP_FAILED) return 1;
  for (unsigned long i = 0; i < count; ++i)
    if (mmap(base + 2 * i * PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED) return 2;
  free(malloc(10)); /* something to record */
  dprintf(1, "ready\n");
  struct pollfd input = {.fd = 0, .events = POLLIN};
  while (poll(&input, 1, 0) == 0) {
    char* place = storm + mapped++ % places * PAGE;
    mmap(place, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0);
    mmap(place, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (mapped % 10 == 0) usleep(100);
  }
  read_line();
  dprintf(1, "mapped %lu\n", mapped);
  read_line();
  return 0;
}
