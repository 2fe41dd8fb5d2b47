// SPDX-License-Identifier: Apache-2.0
// Another tool's probes: other_probe FILE PID FIRST LAST puts a perf uprobe with a reference counter on each of these
// offsets, says "ready", and takes them away when it is told a line or its input ends.
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  int type = -1;
  FILE* file = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
  if (!file || fscanf(file, "%d", &type) != 1) return 3;
  fclose(file);
  struct perf_event_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = (unsigned)type;
  attributes.config = 6ull << 32;  // where in the file the counter is
  attributes.config1 = (unsigned long)argv[1];
  unsigned long last = strtoul(argv[4], NULL, 0);
  for (attributes.config2 = strtoul(argv[3], NULL, 0); attributes.config2 <= last; attributes.config2++) {
    if (syscall(SYS_perf_event_open, &attributes, atoi(argv[2]), -1, -1, 0) >= 0) continue;
    perror("perf_event_open");
    return 4;
  }
  char line[16];
  puts("ready");
  fflush(stdout);
  return fgets(line, sizeof line, stdin) ? 0 : 1;
}
