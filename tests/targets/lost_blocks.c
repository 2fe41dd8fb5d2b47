/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   lost_blocks lost    loses blocks in several ways, and holds others in ways that are easily overlooked
 *   lost_blocks held    the same, but loses none
 *   lost_blocks moving  threads move nodes between lists without pause; nothing is lost
 */
#define _GNU_SOURCE
#include "tests/targets/lost_blocks.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/targets/truth.h"

struct node {
  struct node* next;
  long number;
};

static void* volatile global;
static __thread void* volatile local;
static void* volatile interior;
static void* volatile behind[2];
static void** shared;
static pthread_key_t keys[40];
static atomic_int ready;

static void* block(size_t size) {
  void* made = opaque(malloc(size));
  check(made != NULL, "an allocation failed");
  memset(made, 0x11, size);
  return made;
}

SCENARIO static void lose(void) {
  for (int i = 0; i < LB_PLAIN; i++) block(LB_PLAIN_SIZE);
  for (int i = 0; i < LB_RINGS; i++) {
    void **a = block(LB_RING_SIZE), **b = block(LB_RING_SIZE);
    a[2] = b;
    b[3] = a;
  }
  for (int i = 0; i < LB_CHAINS; i++) {
    struct node* head = block(LB_CHAIN_SIZE);
    for (int n = 0; n < LB_CHAIN_LENGTH; n++) {
      struct node* next = block(LB_CHAIN_SIZE);
      head->next = next;
      head = next;
    }
    head->next = NULL;
  }
}

/* What is left of pointers in dead frames and in cached chunks. */
SCENARIO static void wipe(void) {
  char dead[32768];
  memset(dead, 0, sizeof dead);
  opaque(dead);
}

SCENARIO static void hold(void) {
  struct node* list = NULL;
  for (int i = 0; i < 5000; i++) {
    struct node* one = block(sizeof *one);
    one->next = list;
    list = one;
  }
  global = list;
  interior = (char*)block(5000) + 2500;
  /* As of an array of one element of which only "array + 1" is kept. */
  behind[0] = (char*)block(40) + 40;
  behind[1] = (char*)block(56) + 56;
  for (int i = 0; i < 40; i++) {
    check(pthread_key_create(&keys[i], NULL) == 0, "no key");
    pthread_setspecific(keys[i], block(200));
  }
  local = block(300);
  /* By memory that is shared with others, and that this process has no page of, as after a fork. */
  shared = mmap(NULL, LB_SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(shared != MAP_FAILED, "no shared memory");
  shared[LB_SHARED / 16] = block(1100);
  check(madvise(shared, LB_SHARED, MADV_DONTNEED) == 0, "the pages stay");
  stack_t for_signals = {.ss_sp = block(LB_SIGNAL_STACK), .ss_size = LB_SIGNAL_STACK};
  check(sigaltstack(&for_signals, NULL) == 0, "no stack for signals");
  for_signals.ss_sp = NULL;
  opaque(&for_signals);
  int poll = epoll_create1(0), pipes[2];
  check(poll >= 0 && pipe(pipes) == 0, "no epoll");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = block(400)};
  check(epoll_ctl(poll, EPOLL_CTL_ADD, pipes[0], &event) == 0, "no epoll");
}

/* A block that only a callee-saved register holds while the thread waits in the kernel. */
static void* in_register(void* unused) {
  (void)unused;
  void* only = block(700);
  static struct timespec long_time = {1000, 0};
  register void* kept __asm__("r12") = only;
  only = NULL;
  wipe();
  atomic_fetch_add(&ready, 1);
  __asm__ volatile(
      "mov %1, %%rdi\n\txor %%esi, %%esi\n\tmov $35, %%eax\n\tsyscall"
      : "+r"(kept)
      : "r"(&long_time)
      : "rax", "rdi", "rsi", "rcx", "r11", "memory");
  opaque(kept);
  return NULL;
}

static void* on_stack(void* unused) {
  (void)unused;
  void* volatile kept = block(800);
  atomic_fetch_add(&ready, 1);
  for (;;) pause();
  return kept;
}

/* A thread that has switched to a stack on the heap: one block is held by its own stack, where its stack pointer is not, one by
   the other. */
static ucontext_t own_context, other_context;
SCENARIO static void on_other_stack(void) {
  void* volatile kept = block(900);
  atomic_fetch_add(&ready, 1);
  for (;;) pause();
  opaque(kept);
}
static void* switches_stacks(void* unused) {
  (void)unused;
  void* volatile kept = block(1000);
  getcontext(&other_context);
  other_context.uc_stack.ss_sp = block(LB_OTHER_STACK);
  other_context.uc_stack.ss_size = LB_OTHER_STACK;
  other_context.uc_link = NULL;
  makecontext(&other_context, on_other_stack, 0);
  swapcontext(&own_context, &other_context);
  return kept;
}

#define LISTS 64
static struct node* lists[LISTS];
static pthread_mutex_t locks[LISTS];

static void* mover(void* seed) {
  uint64_t random = (uintptr_t)seed * 7919 + 12345;
  atomic_fetch_add(&ready, 1);
  for (;;) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    unsigned from = random >> 33 & (LISTS - 1), to = random >> 43 & (LISTS - 1);
    if (from == to) continue;
    pthread_mutex_lock(&locks[from < to ? from : to]);
    pthread_mutex_lock(&locks[from < to ? to : from]);
    struct node* one = lists[from];
    if (one) {
      lists[from] = one->next;
      one->next = lists[to];
      lists[to] = one;
    }
    pthread_mutex_unlock(&locks[from]);
    pthread_mutex_unlock(&locks[to]);
  }
  return NULL;
}

static void move(void) {
  for (int i = 0; i < LISTS; i++) pthread_mutex_init(&locks[i], NULL);
  for (int i = 0; i < LB_NODES; i++) {
    struct node* one = block(sizeof *one);
    one->next = lists[i % LISTS];
    lists[i % LISTS] = one;
  }
  for (long i = 0; i < LB_MOVERS; i++) {
    pthread_t thread;
    check(pthread_create(&thread, NULL, mover, (void*)(i + 1)) == 0, "no thread");
  }
  while (atomic_load(&ready) < LB_MOVERS) usleep(1000);
}

int main(int argc, char** argv) {
  check(argc == 2, "lost_blocks lost|held|moving");
  if (strcmp(argv[1], "moving") == 0) {
    move();
  } else {
    pthread_t threads[3];
    check(pthread_create(&threads[0], NULL, in_register, NULL) == 0, "no thread");
    check(pthread_create(&threads[1], NULL, on_stack, NULL) == 0, "no thread");
    check(pthread_create(&threads[2], NULL, switches_stacks, NULL) == 0, "no thread");
    hold();
    if (strcmp(argv[1], "lost") == 0) lose();
    while (atomic_load(&ready) < 3) usleep(1000);
    wipe();
  }
  say("ready\n");
  wait_for_line();
  return 0;
}
