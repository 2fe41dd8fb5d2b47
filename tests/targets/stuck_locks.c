// SPDX-License-Identifier: Apache-2.0
// Threads that hold locks and wait for others, one scenario a run: stuck_locks SCENARIO.
#include "tests/targets/stuck_locks.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>

#include "tests/targets/scenario.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER,
                       third = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static sem_t tokens;
static pthread_barrier_t meeting, come;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void make(pthread_mutex_t *mutex, int type, int robust, int protocol) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  if (pthread_mutex_init(mutex, &attributes)) abort();
}

static void fail_unless(int condition) {
  if (!condition) abort();
}

/* ---- circles ---- */

struct pair {
  pthread_mutex_t *holds, *wants;
};
static struct pair pairs[3];

NOINLINE static void *take_two(void *argument) {
  struct pair *pair = argument;
  pthread_mutex_lock(pair->holds);
  pthread_barrier_wait(&come);
  pthread_mutex_lock(pair->wants);
  return argument;
}

static void start_circle(int count) {
  pthread_mutex_t *locks[] = {&first, &second, &third};
  static const char *const names[] = {"one", "two", "three"};
  pthread_barrier_init(&come, NULL, count);
  for (int i = 0; i < count; i++) {
    pairs[i] = (struct pair){locks[i], locks[(i + 1) % count]};
    start(take_two, &pairs[i], names[i]);
  }
}

static void ab_ba(void) { start_circle(2); }
static void three_cycle(void) { start_circle(3); }

static void kinds(void) { /* each in a circle with the one after it */
  make(&first, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
  make(&second, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
  make(&third, PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT);
  start_circle(3);
}

NOINLINE static void *take_one_twice(void *argument) {
  pthread_mutex_lock(&first);
  pthread_mutex_lock(&first);
  return argument;
}
static void itself(void) { start(take_one_twice, NULL, "one"); }

/* With two more behind it. */
NOINLINE static void *wait_behind(void *argument) {
  pthread_mutex_lock(&first);
  return argument;
}
static void itself_with_waiters(void) {
  itself();
  while (!all_but_this_sleep()) usleep(1000);
  start(wait_behind, NULL, "behind");
  start(wait_behind, NULL, "behind");
}

static pthread_t joined;
NOINLINE static void *join_the_other(void *argument) {
  pthread_mutex_lock(&first);
  pthread_barrier_wait(&come);
  pthread_join(joined, NULL);
  return argument;
}
NOINLINE static void *need_the_joiners_lock(void *argument) {
  pthread_barrier_wait(&come);
  pthread_mutex_lock(&first);
  return argument;
}
static void join_circle(void) {
  pthread_barrier_init(&come, NULL, 2);
  joined = start(need_the_joiners_lock, NULL, "joined");
  start(join_the_other, NULL, "joiner");
}

NOINLINE static void *write_then_lock(void *argument) {
  pthread_rwlock_wrlock(&table);
  pthread_barrier_wait(&come);
  pthread_mutex_lock(&first);
  return argument;
}
NOINLINE static void *lock_then_read(void *argument) {
  pthread_mutex_lock(&first);
  pthread_barrier_wait(&come);
  pthread_rwlock_rdlock(&table);
  return argument;
}
static void writer_circle(void) {
  pthread_barrier_init(&come, NULL, 2);
  start(write_then_lock, NULL, "writer");
  start(lock_then_read, NULL, "reader");
}

NOINLINE static void *read_then_lock(void *argument) {
  pthread_rwlock_rdlock(&table);
  pthread_barrier_wait(&come);
  pthread_mutex_lock(&first);
  return argument;
}
NOINLINE static void *lock_then_write(void *argument) {
  pthread_mutex_lock(&first);
  pthread_barrier_wait(&come);
  pthread_rwlock_wrlock(&table);
  return argument;
}
static void reader_circle(void) {
  pthread_barrier_init(&come, NULL, 2);
  start(read_then_lock, NULL, "reader");
  start(lock_then_write, NULL, "writer");
}

/* Each has it to read, and waits until the others have it no more. */
NOINLINE static void write_what_it_has(pthread_rwlock_t *lock) {
  pthread_rwlock_wrlock(lock);
  pthread_rwlock_unlock(lock);
}
NOINLINE static void *read_then_write(void *argument) {
  pthread_rwlock_t *lock = argument;
  pthread_rwlock_rdlock(lock);
  pthread_barrier_wait(&come);
  write_what_it_has(lock);
  pthread_rwlock_unlock(lock);
  return argument;
}
static void upgrade(void) {
  pthread_barrier_init(&come, NULL, 2);
  start(read_then_write, &table, "one");
  start(read_then_write, &table, "two");
}

/* One reads, and takes its time; the other has read before, and reads no more, or writes without having read. */
NOINLINE static void *read_and_stay(void *argument) {
  pthread_rwlock_rdlock(&table);
  pthread_barrier_wait(&come);
  pause();
  return argument;
}
NOINLINE static void *look_then_write(void *argument) {
  pthread_rwlock_rdlock(&table);
  int found = argument != NULL;
  pthread_rwlock_unlock(&table);
  pthread_barrier_wait(&come);
  if (!found) pthread_rwlock_wrlock(&table);
  return argument;
}
NOINLINE static void *read_or_write(void *argument) {
  pthread_barrier_wait(&come);
  if (argument)
    pthread_rwlock_rdlock(&table);
  else
    pthread_rwlock_wrlock(&table);
  pthread_rwlock_unlock(&table);
  return argument;
}
static void no_upgrade(void) {
  pthread_barrier_init(&come, NULL, 3);
  start(read_and_stay, NULL, "reader");
  start(look_then_write, NULL, "looked");
  start(read_or_write, NULL, "either");
}

/* ---- owners that are no more ---- */

NOINLINE static void *lock_and_end(void *argument) {
  pthread_mutex_lock(&first);
  return argument;
}
static void owner_ended(void) {
  pthread_join(start(lock_and_end, NULL, "ended"), NULL);
  start(wait_behind, NULL, "waiter");
}

NOINLINE static void *hold_for_ever(void *argument) {
  pthread_mutex_lock(&first);
  pthread_barrier_wait(&come);
  pause();
  return argument;
}
static void forked_locked(void) {
  pthread_barrier_init(&come, NULL, 2);
  start(hold_for_ever, NULL, "holder");
  pthread_barrier_wait(&come);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    wait_behind(NULL);
    _exit(0);
  }
  printf("child %d\n", child);
}

/* A mutex in shared memory, held by a child. */
NOINLINE static void *wait_for_shared(void *mutex) {
  pthread_mutex_lock(mutex);
  return mutex;
}
static void shared_elsewhere(void) {
  pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t attributes;
  int held[2];
  char c;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  fail_unless(mutex != MAP_FAILED && !pthread_mutex_init(mutex, &attributes) && !pipe(held));
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pthread_mutex_lock(mutex);
    fail_unless(write(held[1], "!", 1) == 1);
    pause();
    _exit(0);
  }
  fail_unless(read(held[0], &c, 1) == 1);
  start(wait_for_shared, mutex, "waiter");
}

/* ---- nobody who wakes ---- */

NOINLINE static void *wait_for_condition(void *argument) {
  pthread_mutex_lock(&second);
  for (;;) pthread_cond_wait(&filled, &second);
  return argument;
}
NOINLINE static void *join_the_waiter(void *argument) {
  pthread_join(joined, NULL);
  return argument;
}
static void never_signalled(void) { joined = start(wait_for_condition, NULL, "waiter"); }

NOINLINE static void *wait_for_semaphore(void *argument) {
  sem_wait(&tokens);
  return argument;
}
NOINLINE static void *wait_at_barrier(void *argument) {
  pthread_barrier_wait(&meeting);
  return argument;
}
NOINLINE static void prepare_for_ever(void) { pause(); }
NOINLINE static void *prepare(void *argument) {
  pthread_once(&prepared, prepare_for_ever);
  return argument;
}
NOINLINE static void *read_table(void *argument) {
  pthread_rwlock_rdlock(&table);
  pthread_barrier_wait(&come);
  pause();
  return argument;
}
NOINLINE static void *write_table(void *argument) {
  pthread_rwlock_wrlock(&table);
  return argument;
}
NOINLINE static void *read_behind_writer(void *argument) {
  pthread_rwlock_rdlock(&table);
  return argument;
}
NOINLINE static void *lock_stream(void *argument) {
  flockfile(stderr);
  return argument;
}
NOINLINE static void *hold_stream(void *argument) {
  flockfile(stderr);
  pthread_barrier_wait(&come);
  pause();
  return argument;
}
static void every_kind(void) {
  sem_init(&tokens, 0, 0);
  pthread_barrier_init(&meeting, NULL, BARRIER_COUNT);
  pthread_barrier_init(&come, NULL, READERS + 3);
  for (int i = 0; i < READERS; i++) start(read_table, NULL, "reading");
  start(hold_stream, NULL, "streaming");
  start(hold_for_ever, NULL, "holder");
  pthread_barrier_wait(&come);
  start(wait_for_semaphore, NULL, "in_sem");
  for (int i = 0; i < BARRIER_COME; i++) start(wait_at_barrier, NULL, "in_barrier");
  start(prepare, NULL, "in_once");
  while (!all_but_this_sleep()) usleep(1000);
  start(prepare, NULL, "behind_once");
  start(write_table, NULL, "in_write");
  start(wait_for_condition, NULL, "in_cond");
  start(lock_stream, NULL, "in_stream");
  joined = start(wait_behind, NULL, "in_mutex");
  start(join_the_waiter, NULL, "in_join");
}

/* Readers behind a writer that holds it. */
NOINLINE static void *hold_table(void *argument) {
  pthread_rwlock_wrlock(&table);
  pthread_barrier_wait(&come);
  pause();
  return argument;
}
static void held_to_write(void) {
  pthread_barrier_init(&come, NULL, 2);
  start(hold_table, NULL, "holder");
  pthread_barrier_wait(&come);
  start(read_behind_writer, NULL, "in_read");
  start(write_table, NULL, "in_write");
}

/* Locks without a name, allocated once there is input. */
struct account {
  char owner[ACCOUNT_LOCK_AT];
  pthread_mutex_t lock;
};
NOINLINE static struct account *open_account(void) {
  struct account *account = calloc(1, sizeof *account);
  pthread_mutex_init(&account->lock, NULL);
  return account;
}
static void on_the_heap(void) {
  puts("waiting");
  fflush(stdout);
  fail_unless(getchar() == '\n');
  pthread_barrier_init(&come, NULL, 2);
  struct account *one = open_account(), *other = open_account();
  pairs[0] = (struct pair){&one->lock, &other->lock};
  pairs[1] = (struct pair){&other->lock, &one->lock};
  start(take_two, &pairs[0], "one");
  start(take_two, &pairs[1], "two");
}

/* ---- no trouble, or another one ---- */

static void convoy(void) {
  pthread_barrier_init(&come, NULL, 2);
  start(hold_for_ever, NULL, "holder");
  pthread_barrier_wait(&come);
  for (int i = 0; i < CONVOY_WAITERS; i++) start(wait_behind, NULL, "waiter");
}

NOINLINE static void *take_two_for_a_time(void *argument) {
  struct pair *pair = argument;
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 3000;
  pthread_mutex_lock(pair->holds);
  pthread_barrier_wait(&come);
  fail_unless(pthread_mutex_timedlock(pair->wants, &end) == ETIMEDOUT);
  return argument;
}
static void timed_circle(void) {
  pthread_barrier_init(&come, NULL, 2);
  pairs[0] = (struct pair){&first, &second};
  pairs[1] = (struct pair){&second, &first};
  start(take_two_for_a_time, &pairs[0], "one");
  start(take_two_for_a_time, &pairs[1], "two");
}

static pthread_mutex_t hard[HARD_LOCKS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                           PTHREAD_MUTEX_INITIALIZER};
/* In one order, so that they never wait for each other; and for ever. */
NOINLINE static void *lock_hard(void *argument) {
  unsigned random = (unsigned)(size_t)argument * 2654435761u + 1;
  for (;;) {
    random = random * 1103515245u + 12345u;
    int a = (random >> 16) % HARD_LOCKS, b = (random >> 20) % HARD_LOCKS;
    pthread_mutex_lock(&hard[a < b ? a : b]);
    if (a != b) pthread_mutex_lock(&hard[a < b ? b : a]);
    for (volatile int i = 0; i < 200; i++) {
    }
    if (a != b) pthread_mutex_unlock(&hard[a < b ? b : a]);
    pthread_mutex_unlock(&hard[a < b ? a : b]);
  }
  return argument;
}
static void locks_hard(void) {
  for (size_t i = 0; i < HARD_LOCKERS; i++) start(lock_hard, (void *)i, "locker");
}

/* ---- signals ---- */

/* Larger than what threads keep for themselves: each call takes the lock of the thread's arena. */
static void allocate(void) {
  char *block = malloc(ALLOCATED);
  block[0] = 1;
  __asm__ volatile("" ::"r"(block) : "memory");
  free(block);
}
static void allocate_in_handler(int signal) {
  (void)signal;
  allocate();
}
NOINLINE static void *allocate_for_ever(void *argument) {
  for (;;) allocate();
  return argument;
}
static void handler_allocates(void) {
  signal(SIGUSR1, allocate_in_handler);
  pthread_t allocating = start(allocate_for_ever, NULL, "allocating");
  while (!all_but_this_sleep())
    for (int i = 0; i < 100; i++) {
      pthread_kill(allocating, SIGUSR1);
      usleep(100);
    }
}

static void post_the_semaphore(int signal) {
  (void)signal;
  sem_post(&tokens);
}
static void handler_posts(void) { signal(SIGALRM, post_the_semaphore); }
static void *wait_for_the_handler(void *argument) {
  while (sem_wait(&tokens)) {
  }
  return argument;
}

static int raised_by_anybody;
static void system_v(void) {
  raised_by_anybody = semget(IPC_PRIVATE, 1, 0600);
  printf("semaphore %d\n", raised_by_anybody);
}
static void *wait_in_system_v(void *argument) {
  struct sembuf down = {0, -1, 0};
  semop(raised_by_anybody, &down, 1);
  return argument;
}

/* ---- workers without work ---- */

static pthread_mutex_t own_lock[WORKERS];
static pthread_cond_t own_condition[WORKERS];
NOINLINE static void *work_when_told(void *argument) {
  size_t i = (size_t)argument;
  pthread_mutex_lock(&own_lock[i]);
  for (;;) pthread_cond_wait(&own_condition[i], &own_lock[i]);
  return argument;
}
NOINLINE static void *clean_when_told(void *argument) {
  for (;;) sem_wait(&tokens);
  return argument;
}
static void own_conditions(void) {
  for (size_t i = 0; i < WORKERS; i++) {
    pthread_mutex_init(&own_lock[i], NULL);
    pthread_cond_init(&own_condition[i], NULL);
    start(work_when_told, (void *)i, "worker");
  }
  start(clean_when_told, NULL, "cleaner");
}

static const struct scenario scenarios[] = {
    {"ab_ba", ab_ba, 0, NULL},
    {"three_cycle", three_cycle, 0, NULL},
    {"kinds", kinds, 0, NULL},
    {"itself", itself, 0, NULL},
    {"itself_with_waiters", itself_with_waiters, 0, NULL},
    {"join_circle", join_circle, 0, NULL},
    {"writer_circle", writer_circle, 0, NULL},
    {"upgrade", upgrade, 0, NULL},
    {"no_upgrade", no_upgrade, 0, NULL},
    {"reader_circle", reader_circle, 0, NULL},
    {"owner_ended", owner_ended, 0, NULL},
    {"forked_locked", forked_locked, 0, NULL},
    {"shared_elsewhere", shared_elsewhere, 0, NULL},
    {"never_signalled", never_signalled, 0, join_the_waiter},
    {"every_kind", every_kind, 0, NULL},
    {"held_to_write", held_to_write, 0, NULL},
    {"on_the_heap", on_the_heap, 0, NULL},
    {"convoy", convoy, 0, NULL},
    {"timed_circle", timed_circle, 0, NULL},
    {"locks_hard", locks_hard, 1, NULL},
    {"handler_allocates", handler_allocates, 0, NULL},
    {"handler_posts", handler_posts, 0, wait_for_the_handler},
    {"system_v", system_v, 0, wait_in_system_v},
    {"own_conditions", own_conditions, 0, NULL},
};

SCENARIO_MAIN
