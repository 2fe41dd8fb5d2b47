// SPDX-License-Identifier: Apache-2.0
// A program with pools, references and slots of its own: pairs calls | leak
// calls: "ready"; a line; what it does; "done"; a line; the end. leak: "leaking"; a line; the end.
#define _GNU_SOURCE
#include "tests/targets/pairs.h"

#include "tests/targets/scenario.h"

struct conn {
  struct conn *next;
  long size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct conn *free_conns;

NOINLINE struct conn *conn_get(long size) {
  if (size <= 0) return NULL;
  pthread_mutex_lock(&lock);
  struct conn *conn = free_conns;
  if (conn)
    free_conns = conn->next;
  else
    conn = malloc(sizeof *conn);
  pthread_mutex_unlock(&lock);
  conn->size = size;
  return conn;
}

NOINLINE struct conn *conn_get_default(void) {
  struct conn *conn = conn_get(PAIRS_SIZE);
  conn->next = NULL;
  return conn;
}

NOINLINE void conn_put(int why, struct conn *conn) {
  if (!conn || why < 0) return;
  pthread_mutex_lock(&lock);
  conn->next = free_conns;
  free_conns = conn;
  pthread_mutex_unlock(&lock);
}

struct obj {
  int references;
};
NOINLINE struct obj *obj_new(void) {
  struct obj *obj = malloc(sizeof *obj);
  obj->references = 1;
  return obj;
}
NOINLINE void obj_ref(struct obj *obj) { __atomic_add_fetch(&obj->references, 1, __ATOMIC_SEQ_CST); }
NOINLINE void obj_unref(struct obj *obj) {
  if (__atomic_sub_fetch(&obj->references, 1, __ATOMIC_SEQ_CST) == 0) free(obj);
}

NOINLINE int buf_open(int mode, char **out) {
  if (mode < 0) return -22;
  *out = malloc(32);
  return 0;
}
NOINLINE void buf_close(char *buf) {
  buf[0] = 0;
  free(buf);
}

static int next_slot;
NOINLINE int slot_take(void) { return next_slot < PAIRS_SLOTS ? next_slot++ : -1; }
static volatile int dropped;
NOINLINE void slot_drop(int slot) { dropped += slot; }

/* ---- who uses them ---- */

NOINLINE static void forgets_some(void) {
  for (int i = 0; i < PAIRS_TAKEN; i++) {
    struct conn *conn = conn_get(PAIRS_SIZE);
    if (i >= PAIRS_KEPT) conn_put(0, conn);
  }
  for (int i = 0; i < PAIRS_FAILED; i++) conn_put(0, conn_get(0));
}

NOINLINE static void takes_the_default(void) {
  for (int i = 0; i < PAIRS_FORWARDED; i++) conn_put(0, conn_get_default());
}

NOINLINE static struct obj *makes(void) {
  struct obj *obj = obj_new();
  obj->references += 0;
  return obj;
}
NOINLINE static void holds(struct obj *obj, int forget) {
  obj_ref(obj);
  if (!forget) obj_unref(obj);
}
static void *holds_in_thread(void *argument) {
  struct obj **objects = argument;
  for (int i = 0; i < PAIRS_OBJECTS; i++) holds(objects[i], i < PAIRS_FORGOTTEN);
  return NULL;
}
NOINLINE static void shares(void) {
  struct obj *objects[PAIRS_OBJECTS];
  for (int i = 0; i < PAIRS_OBJECTS; i++) objects[i] = makes();
  pthread_t holder = start(holds_in_thread, objects, "holder");
  pthread_join(holder, NULL);
  for (int i = 0; i < PAIRS_OBJECTS; i++) obj_unref(objects[i]);
}

NOINLINE static void stores(void) {
  char *buf = NULL;
  for (int i = 0; i < PAIRS_STORED; i++) {
    if (buf_open(0, &buf)) abort();
    if (i >= PAIRS_STORED_KEPT) buf_close(buf);
  }
  for (int i = 0; i < PAIRS_STORED_KEPT; i++)
    if (!buf_open(-1, &buf)) abort();
}

NOINLINE static void numbers(void) {
  for (int i = 0; i < PAIRS_SLOTS + 2; i++) {
    int slot = slot_take();
    if (slot >= PAIRS_SLOTS_KEPT) slot_drop(slot);
  }
}

static void *in_a_thread(void *argument) {
  for (int i = 0; i < PAIRS_THREAD_TIMES; i++) conn_put(0, conn_get(PAIRS_SIZE));
  return argument;
}

/* ---- the leak ---- */

NOINLINE static struct conn *forgets_one(void) {
  struct conn *conn = conn_get(PAIRS_SIZE);
  conn->next = NULL;
  return conn;
}
NOINLINE static struct conn *caches(void) {
  struct conn *conn = conn_get(PAIRS_SIZE);
  conn->next = NULL;
  return conn;
}
static void *leaks(void *argument) {
  const struct timespec pause = {0, 1000000};
  struct conn *cache[PAIRS_CACHE] = {0};
  for (int turn = 0;; turn++) {
    for (int i = 0; i < 3; i++) {
      struct conn *conn = forgets_one();
      if ((turn * 3 + i) % PAIRS_ONE_IN) conn_put(0, conn);
    }
    if (turn % 20 == 0) {
      struct conn **place = &cache[turn / 20 % PAIRS_CACHE];
      conn_put(0, *place);
      *place = caches();
    }
    nanosleep(&pause, NULL);
  }
  return argument;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "leak") == 0) {
    start(leaks, NULL, "leaks");
    say_and_wait("leaking");
    return 0;
  }
  struct conn *before[PAIRS_BEFORE];
  for (int i = 0; i < PAIRS_BEFORE; i++) before[i] = conn_get(PAIRS_SIZE);
  say_and_wait("ready");
  for (int i = 0; i < PAIRS_BEFORE; i++) conn_put(0, before[i]);
  forgets_some();
  takes_the_default();
  shares();
  stores();
  numbers();
  pthread_t threads[PAIRS_THREADS];
  for (int i = 0; i < PAIRS_THREADS; i++) threads[i] = start(in_a_thread, NULL, "storm");
  for (int i = 0; i < PAIRS_THREADS; i++) pthread_join(threads[i], NULL);
  say_and_wait("done");
  return 0;
}
