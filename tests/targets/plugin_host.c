// SPDX-License-Identifier: Apache-2.0
// plugin_host FOLDER CYCLES STAY_US: "ready", <line>, loads, runs and unloads each plugin CYCLES times, each staying for
// STAY_US before it runs and after; "done", <line>.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/targets/plugin.h"

static void wait_for_line(const char* say) {
  char line[64];
  puts(say);
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) exit(1);
}

__attribute__((noinline)) static void run_plugin(const char* folder, const char* name, unsigned stay_us) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libplugin_%s.so", folder, name);
  void* plugin = dlopen(path, RTLD_NOW);
  if (!plugin) {
    puts(dlerror());
    exit(2);
  }
  if (stay_us) usleep(stay_us);
  ((void (*)(void))dlsym(plugin, "plugin_run"))();
  if (stay_us) usleep(stay_us);
  dlclose(plugin);
}

#define NAME(name, bytes) #name,
static const char* const kNames[] = {PLUGINS(NAME)};

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  unsigned cycles = (unsigned)atoi(argv[2]), stay_us = (unsigned)atoi(argv[3]);
  wait_for_line("ready");
  for (unsigned i = 0; i < cycles; i++)
    for (unsigned k = 0; k < 4; k++) run_plugin(argv[1], kNames[k], stay_us);
  wait_for_line("done");
  return 0;
}
