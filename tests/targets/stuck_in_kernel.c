// SPDX-License-Identifier: Apache-2.0
// Threads in waits that few programs know: a page that somebody else is to bring, asynchronous I/O, System V
// and POSIX queues, the child of vfork. One scenario; says "ready" when all of them wait, and ends with its
// input. What the machine does not offer is left out, and said.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "tests/targets/scenario.h"

NOINLINE static void *wait_for_page(void *page) {
  *(volatile char *)page = 1;
  return page;
}

/* Memory whose pages a userfaultfd is to bring, and never does. */
static int start_page_fault(void) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  struct uffdio_api api = {.api = UFFD_API};
  if (fd < 0 || ioctl(fd, UFFDIO_API, &api)) return 0;
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register range = {.range = {(__u64)(size_t)page, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (page == MAP_FAILED || ioctl(fd, UFFDIO_REGISTER, &range)) return 0;
  start(wait_for_page, page, "in_page_fault");
  return 1;
}

NOINLINE static void *wait_for_completion(void *ring) {
  syscall(SYS_io_uring_enter, *(int *)ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
  return ring;
}

static int start_io_uring(void) {
  static int ring;
  struct io_uring_params parameters = {0};
  ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);
  if (ring < 0) return 0;
  start(wait_for_completion, &ring, "in_io_uring");
  return 1;
}

NOINLINE static void *wait_for_semaphore(void *semaphore) {
  struct sembuf down = {.sem_op = -1};
  semop(*(int *)semaphore, &down, 1);
  return semaphore;
}

NOINLINE static void *wait_for_semaphore_a_time(void *semaphore) {
  struct sembuf down = {.sem_op = -1};
  struct timespec time = {3000, 0};
  semtimedop(*(int *)semaphore, &down, 1, &time);
  return semaphore;
}

NOINLINE static void *wait_for_message(void *queue) {
  struct {
    long type;
    char text[8];
  } message;
  msgrcv(*(int *)queue, &message, sizeof message.text, 0, 0);
  return queue;
}

NOINLINE static void *wait_for_posix_message(void *queue) {
  char text[8192];
  mq_receive(*(mqd_t *)queue, text, sizeof text, NULL);
  return queue;
}

/* In a namespace of its own, so that nothing stays of them. */
static int start_ipc(void) {
  static int semaphore, queue;
  static mqd_t posix_queue;
  if (unshare(CLONE_NEWIPC)) return 0;
  semaphore = semget(IPC_PRIVATE, 1, 0600);
  queue = msgget(IPC_PRIVATE, 0600);
  posix_queue = mq_open("/stuck", O_CREAT | O_RDONLY, 0600, NULL);
  if (semaphore < 0 || queue < 0 || posix_queue == (mqd_t)-1) return 0;
  start(wait_for_semaphore, &semaphore, "in_semop");
  start(wait_for_semaphore_a_time, &semaphore, "in_semtimedop");
  start(wait_for_message, &queue, "in_msgrcv");
  start(wait_for_posix_message, &posix_queue, "in_mq_receive");
  return 1;
}

/* Whoever calls vfork can't even be interrupted until the child calls exec or ends. */
NOINLINE static void *wait_for_vfork(void *argument) {
  if (vfork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  return argument;
}

static void waits(void) {
  int pages = start_page_fault(), rings = start_io_uring(), ipc = start_ipc();
  start(wait_for_vfork, NULL, "in_vfork");
  printf("userfaultfd %d io_uring %d ipc %d\n", pages, rings, ipc);
}

static const struct scenario scenarios[] = {{"waits", waits, 0, NULL}};

SCENARIO_MAIN
