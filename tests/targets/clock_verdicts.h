/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of clock_verdicts.cpp do, and what is to be said of them. */
#ifndef DWELL_TESTS_TARGETS_CLOCK_VERDICTS_H
#define DWELL_TESTS_TARGETS_CLOCK_VERDICTS_H

#define VERDICT_TIMES 10  /* that each function does what it does */
#define VERDICT_WAIT_MS 2 /* for each wait, and between two reads */

/* WAITS(function, call, clock, absolute): VERDICT_TIMES waits to their end. */
#define CLOCK_WAITS(WAITS)                                                \
  WAITS(sleep_relative, "clock_nanosleep", "CLOCK_REALTIME", false)       \
  WAITS(sleep_until_wall, "clock_nanosleep", "CLOCK_REALTIME", true)      \
  WAITS(sleep_until_steady, "clock_nanosleep", "CLOCK_MONOTONIC", true)   \
  WAITS(wait_in_poll, "poll", "CLOCK_MONOTONIC", false)                   \
  WAITS(wait_in_select, "pselect", "CLOCK_MONOTONIC", false) /* as the C library does it */ \
  WAITS(wait_in_epoll, "epoll_wait", "CLOCK_MONOTONIC", false)            \
  WAITS(wait_for_signal, "sigtimedwait", "CLOCK_MONOTONIC", false)        \
  WAITS(cond_until_wall, "futex", "CLOCK_REALTIME", true)                 \
  WAITS(cond_until_steady, "futex", "CLOCK_MONOTONIC", true)              \
  WAITS(cxx_wait_for, "futex", "CLOCK_MONOTONIC", true)                   \
  WAITS(cxx_wait_until_system, "futex", "CLOCK_REALTIME", true)           \
  WAITS(sem_until_wall, "futex", "CLOCK_REALTIME", true)                  \
  WAITS(sem_until_steady, "futex", "CLOCK_MONOTONIC", true)               \
  WAITS(mutex_until_wall, "futex", "CLOCK_REALTIME", true)                \
  WAITS(mutex_until_steady, "futex", "CLOCK_MONOTONIC", true)

/* Nobody waits in these: ARMS(function, call, clock, absolute). */
#define CLOCK_TIMERS(ARMS)                                                \
  ARMS(timerfd_on_wall, "timerfd_settime", "CLOCK_REALTIME", true)        \
  ARMS(timerfd_on_steady, "timerfd_settime", "CLOCK_MONOTONIC", true)     \
  ARMS(timerfd_from_before, "timerfd_settime", "CLOCK_BOOTTIME", false)   \
  ARMS(timer_on_wall, "timer_settime", "CLOCK_REALTIME", true)            \
  ARMS(timer_on_steady, "timer_settime", "CLOCK_MONOTONIC", true)         \
  ARMS(interval_timer, "setitimer", "CLOCK_MONOTONIC", false)

/* INTERVAL(function, on the wall clock). */
#define CLOCK_INTERVALS(INTERVAL)        \
  INTERVAL(interval_by_system_clock, true)  \
  INTERVAL(interval_by_steady_clock, false) \
  INTERVAL(interval_by_timeofday, true)     \
  INTERVAL(interval_by_helper, true)        \
  INTERVAL(interval_by_monotonic, false)

#endif
