// SPDX-License-Identifier: Apache-2.0
// Right and wrong ways to measure and to wait, side by side.
//
//   clock_verdicts          all of them, between two lines on standard input
//   clock_verdicts late     a sleep that ends far too late
//   clock_verdicts step     an interval and a wait that are open while the clock is set
#include "tests/targets/clock_verdicts.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#define EACH_TIME for (int i = 0; i < VERDICT_TIMES; ++i)
#define TARGET_FUNCTION [[gnu::noinline]] void

namespace {

constexpr long kWaitNs = VERDICT_WAIT_MS * 1000000L;
constexpr auto kWait = std::chrono::milliseconds(VERDICT_WAIT_MS);
int old_timer = -1;
volatile double measured;

timespec ahead(clockid_t clock, long ns = kWaitNs) {
  timespec time{};
  clock_gettime(clock, &time);
  time.tv_nsec += ns;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

TARGET_FUNCTION sleep_relative() {
  timespec time{0, kWaitNs};
  EACH_TIME nanosleep(&time, nullptr);
}
TARGET_FUNCTION sleep_until_wall() {
  EACH_TIME {
    timespec until = ahead(CLOCK_REALTIME);
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr);
  }
}
TARGET_FUNCTION sleep_until_steady() {
  EACH_TIME {
    timespec until = ahead(CLOCK_MONOTONIC);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
}
TARGET_FUNCTION wait_in_poll() { EACH_TIME poll(nullptr, 0, VERDICT_WAIT_MS); }
TARGET_FUNCTION wait_in_select() {
  EACH_TIME {
    timeval time{0, VERDICT_WAIT_MS * 1000};
    select(0, nullptr, nullptr, nullptr, &time);
  }
}
TARGET_FUNCTION wait_in_epoll() {
  int epoll = epoll_create1(0);
  epoll_event event{};
  EACH_TIME epoll_wait(epoll, &event, 1, VERDICT_WAIT_MS);
  close(epoll);
}
TARGET_FUNCTION wait_for_signal() {
  sigset_t never;
  sigemptyset(&never);
  sigaddset(&never, SIGUSR1);
  timespec time{0, kWaitNs};
  EACH_TIME sigtimedwait(&never, nullptr, &time);
}

void wait_on_condition(clockid_t clock) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, clock);
  pthread_cond_t condition;
  pthread_cond_init(&condition, &attributes);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  EACH_TIME {
    timespec until = ahead(clock);
    while (pthread_cond_timedwait(&condition, &mutex, &until) == 0) {
    }
  }
  pthread_mutex_unlock(&mutex);
}
TARGET_FUNCTION cond_until_wall() {
  wait_on_condition(CLOCK_REALTIME);
  measured = 1;
}
TARGET_FUNCTION cond_until_steady() {
  wait_on_condition(CLOCK_MONOTONIC);
  measured = 2;
}
TARGET_FUNCTION cxx_wait_for() {
  std::mutex mutex;
  std::condition_variable condition;
  std::unique_lock lock(mutex);
  EACH_TIME condition.wait_for(lock, kWait);
}
TARGET_FUNCTION cxx_wait_until_system() {
  std::mutex mutex;
  std::condition_variable condition;
  std::unique_lock lock(mutex);
  EACH_TIME condition.wait_until(lock, std::chrono::system_clock::now() + kWait);
}
TARGET_FUNCTION sem_until_wall() {
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  EACH_TIME {
    timespec until = ahead(CLOCK_REALTIME);
    sem_timedwait(&semaphore, &until);
  }
}
TARGET_FUNCTION sem_until_steady() {
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  EACH_TIME {
    timespec until = ahead(CLOCK_MONOTONIC);
    sem_clockwait(&semaphore, CLOCK_MONOTONIC, &until);
  }
}
TARGET_FUNCTION mutex_until_wall() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  EACH_TIME {
    timespec until = ahead(CLOCK_REALTIME);
    pthread_mutex_timedlock(&mutex, &until);
  }
}
TARGET_FUNCTION mutex_until_steady() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  EACH_TIME {
    timespec until = ahead(CLOCK_MONOTONIC);
    pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until);
  }
}

void arm_descriptor(clockid_t clock) {
  int timer = timerfd_create(clock, 0);
  EACH_TIME {
    itimerspec time{{0, 0}, ahead(clock, 900000000)};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &time, nullptr);
  }
  close(timer);
}
TARGET_FUNCTION timerfd_on_wall() {
  arm_descriptor(CLOCK_REALTIME);
  measured = 3;
}
TARGET_FUNCTION timerfd_on_steady() {
  arm_descriptor(CLOCK_MONOTONIC);
  measured = 4;
}
TARGET_FUNCTION timerfd_from_before() {
  EACH_TIME {
    itimerspec time{{0, 0}, {100, 0}};
    timerfd_settime(old_timer, 0, &time, nullptr);
  }
}
void arm_timer(clockid_t clock) {
  sigevent nothing{};
  nothing.sigev_notify = SIGEV_NONE;
  timer_t timer;
  timer_create(clock, &nothing, &timer);
  EACH_TIME {
    itimerspec time{{0, 0}, ahead(clock, 900000000)};
    timer_settime(timer, TIMER_ABSTIME, &time, nullptr);
  }
  timer_delete(timer);
}
TARGET_FUNCTION timer_on_wall() {
  arm_timer(CLOCK_REALTIME);
  measured = 5;
}
TARGET_FUNCTION timer_on_steady() {
  arm_timer(CLOCK_MONOTONIC);
  measured = 6;
}
TARGET_FUNCTION interval_timer() {
  EACH_TIME {
    itimerval time{{0, 0}, {100, 0}};
    setitimer(ITIMER_REAL, &time, nullptr);
  }
  itimerval none{};
  setitimer(ITIMER_REAL, &none, nullptr);
}

TARGET_FUNCTION interval_by_system_clock() {
  EACH_TIME {
    auto start = std::chrono::system_clock::now();
    usleep(VERDICT_WAIT_MS * 1000);
    measured = std::chrono::duration<double>(std::chrono::system_clock::now() - start).count();
  }
}
TARGET_FUNCTION interval_by_steady_clock() {
  EACH_TIME {
    auto start = std::chrono::steady_clock::now();
    usleep(VERDICT_WAIT_MS * 1000);
    measured = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
}
TARGET_FUNCTION interval_by_timeofday() {
  EACH_TIME {
    timeval start, end;
    gettimeofday(&start, nullptr);
    usleep(VERDICT_WAIT_MS * 1000);
    gettimeofday(&end, nullptr);
    measured = static_cast<double>(end.tv_usec - start.tv_usec);
  }
}
[[gnu::noinline]] double helper_seconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
TARGET_FUNCTION interval_by_helper() {
  EACH_TIME {
    double start = helper_seconds();
    usleep(VERDICT_WAIT_MS * 1000);
    measured = helper_seconds() - start;
  }
}
TARGET_FUNCTION interval_by_monotonic() {
  EACH_TIME {
    timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    usleep(VERDICT_WAIT_MS * 1000);
    clock_gettime(CLOCK_MONOTONIC, &end);
    measured = static_cast<double>(end.tv_nsec - start.tv_nsec);
  }
}

void say(const char* text) {
  puts(text);
  fflush(stdout);
}
bool wait_for_line() {
  char line[16];
  return fgets(line, sizeof line, stdin) != nullptr;
}

TARGET_FUNCTION sleep_too_long() {
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    usleep(20'000);
    kill(parent, SIGSTOP);
    usleep(300'000);
    kill(parent, SIGCONT);
    _exit(0);
  }
  timespec time{0, 100'000'000};
  nanosleep(&time, nullptr);
  waitpid(child, nullptr, 0);
}

TARGET_FUNCTION wait_while_clock_is_set() {
  timespec until = ahead(CLOCK_REALTIME, 700'000'000);
  clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr);
}
TARGET_FUNCTION interval_while_clock_is_set() {
  auto start = std::chrono::system_clock::now();
  say("begun");
  wait_for_line();
  measured = std::chrono::duration<double>(std::chrono::system_clock::now() - start).count();
}

#define CALL(function, ...) function();

void do_all() {
  CLOCK_WAITS(CALL)
  CLOCK_TIMERS(CALL)
  CLOCK_INTERVALS(CALL)
}

void be_open_while_clock_is_set() {
  std::thread waiting(wait_while_clock_is_set);
  usleep(50'000);
  interval_while_clock_is_set();
  waiting.join();
  say("over");
}

}  // namespace

int main(int count, char** arguments) {
  const char* what = count > 1 ? arguments[1] : "all";
  old_timer = timerfd_create(CLOCK_BOOTTIME, 0);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  say("ready");
  if (!wait_for_line()) return 1;
  if (!strcmp(what, "all")) do_all();
  if (!strcmp(what, "late")) sleep_too_long();
  if (!strcmp(what, "step")) be_open_while_clock_is_set();
  say("done");
  return wait_for_line() ? 0 : 1;
}
