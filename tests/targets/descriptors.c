// SPDX-License-Identifier: Apache-2.0
// Holds descriptors, in one of these ways: descriptors near-limit | left | closed
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/targets/descriptors.h"

static void fail_unless(int condition) {
  if (!condition) abort();
}

/* All but a few of those that it may open. */
static void near_limit(void) {
  struct rlimit limit = {DESCRIPTORS_LIMIT, DESCRIPTORS_LIMIT};
  fail_unless(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  while (dup(0) < DESCRIPTORS_LIMIT - 10) {
  }
}

/* Connections that the other side has closed, and this one has not, unless it is told to. */
static void connections(int close_both) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  fail_unless(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, DESCRIPTORS_LEFT) == 0);
  fail_unless(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  for (int i = 0; i < DESCRIPTORS_LEFT; i++) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    fail_unless(connect(client, (struct sockaddr *)&address, size) == 0);
    int accepted = accept(listener, NULL, NULL);
    fail_unless(accepted >= 0 && close(client) == 0);
    char byte;
    fail_unless(read(accepted, &byte, 1) == 0);
    if (close_both) close(accepted);
  }
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "near-limit")) near_limit();
  if (!strcmp(what, "left")) connections(0);
  if (!strcmp(what, "closed")) connections(1);
  puts("ready");
  fflush(stdout);
  getchar();
  return 0;
}
