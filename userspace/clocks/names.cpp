// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/names.h"

#include <sys/syscall.h>

namespace dwell {

const char* clock_name(std::uint8_t clock) {
  static constexpr const char* kNames[] = {
      "CLOCK_REALTIME",       "CLOCK_MONOTONIC",       "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID",
      "CLOCK_MONOTONIC_RAW",  "CLOCK_REALTIME_COARSE", "CLOCK_MONOTONIC_COARSE",   "CLOCK_BOOTTIME",
      "CLOCK_REALTIME_ALARM", "CLOCK_BOOTTIME_ALARM",  "CLOCK_SGI_CYCLE",          "CLOCK_TAI"};
  if (clock < sizeof kNames / sizeof *kNames) return kNames[clock];
  return clock == DWELL_CLOCK_DYNAMIC ? "clock of a process, thread or device" : "unknown clock";
}

const char* clock_call_name(std::uint8_t call) {
  switch (call) {
    case DWELL_CALL_CLOCK_GETTIME:
      return "clock_gettime";
    case DWELL_CALL_GETTIMEOFDAY:
      return "gettimeofday";
    case DWELL_CALL_TIME:
      return "time";
    case DWELL_CALL_SYS_CLOCK_GETTIME:
      return "clock_gettime (system call)";
    case DWELL_CALL_SYS_GETTIMEOFDAY:
      return "gettimeofday (system call)";
    case DWELL_CALL_SYS_TIME:
      return "time (system call)";
    case DWELL_CALL_VDSO:
      return "vDSO";
    case DWELL_CALL_NANOSLEEP:
      return "nanosleep";
    case DWELL_CALL_CLOCK_NANOSLEEP:
      return "clock_nanosleep";
    case DWELL_CALL_POLL:
      return "poll";
    case DWELL_CALL_PPOLL:
      return "ppoll";
    case DWELL_CALL_SELECT:
      return "select";
    case DWELL_CALL_PSELECT:
      return "pselect";
    case DWELL_CALL_EPOLL_WAIT:
      return "epoll_wait";
    case DWELL_CALL_EPOLL_PWAIT2:
      return "epoll_pwait2";
    case DWELL_CALL_FUTEX:
      return "futex";
    case DWELL_CALL_FUTEX_WAITV:
      return "futex_waitv";
    case DWELL_CALL_SIGTIMEDWAIT:
      return "sigtimedwait";
    case DWELL_CALL_SEMTIMEDOP:
      return "semtimedop";
    case DWELL_CALL_MQ_TIMED:
      return "mq_timedsend/mq_timedreceive";
    case DWELL_CALL_IO_GETEVENTS:
      return "io_getevents";
    case DWELL_CALL_TIMERFD_SETTIME:
      return "timerfd_settime";
    case DWELL_CALL_TIMER_SETTIME:
      return "timer_settime";
    case DWELL_CALL_SETITIMER:
      return "setitimer";
    case DWELL_CALL_ALARM:
      return "alarm";
    case DWELL_CALL_TIMERFD_CREATE:
      return "timerfd_create";
    case DWELL_CALL_TIMER_CREATE:
      return "timer_create";
    case DWELL_CALL_RESTART:
      return "restart_syscall";
    case DWELL_CALL_SETTIMEOFDAY:
      return "settimeofday";
    case DWELL_CALL_CLOCK_SETTIME:
      return "clock_settime";
    case DWELL_CALL_ADJTIMEX:
      return "adjtimex";
    case DWELL_CALL_CLOCK_ADJTIME:
      return "clock_adjtime";
  }
  return "?";
}

bool is_wall_clock(std::uint8_t clock) { return clock == 0 || clock == 5 || clock == 8 || clock == 11; }
bool is_coarse_clock(std::uint8_t clock) { return clock == 5 || clock == 6; }

CallKind kind_of_call(std::uint8_t call) {
  if (call <= DWELL_CALL_VDSO) return CallKind::kRead;
  if (call <= DWELL_CALL_CLOCK_NANOSLEEP) return CallKind::kSleep;
  if (call < DWELL_CALL_TIMERFD_SETTIME) return CallKind::kWait;
  if (call < DWELL_CALL_SETTIMEOFDAY) return CallKind::kTimer;
  return CallKind::kSet;
}

const char* name_of(CallKind kind) {
  switch (kind) {
    case CallKind::kRead:
      return "read";
    case CallKind::kSleep:
      return "sleep";
    case CallKind::kWait:
      return "wait";
    case CallKind::kTimer:
      return "timer";
    case CallKind::kSet:
      return "set";
  }
  return "?";
}

std::uint8_t clock_call_of_syscall(unsigned number) {
  constexpr unsigned kEpollPwait2 = 441, kFutexWaitv = 449, kIoPgetevents = 333;  // not in older headers
  switch (number) {
    case SYS_clock_gettime:
      return DWELL_CALL_SYS_CLOCK_GETTIME;
    case SYS_gettimeofday:
      return DWELL_CALL_SYS_GETTIMEOFDAY;
    case SYS_time:
      return DWELL_CALL_SYS_TIME;
    case SYS_nanosleep:
      return DWELL_CALL_NANOSLEEP;
    case SYS_clock_nanosleep:
      return DWELL_CALL_CLOCK_NANOSLEEP;
    case SYS_poll:
      return DWELL_CALL_POLL;
    case SYS_ppoll:
      return DWELL_CALL_PPOLL;
    case SYS_select:
      return DWELL_CALL_SELECT;
    case SYS_pselect6:
      return DWELL_CALL_PSELECT;
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
      return DWELL_CALL_EPOLL_WAIT;
    case kEpollPwait2:
      return DWELL_CALL_EPOLL_PWAIT2;
    case SYS_futex:
      return DWELL_CALL_FUTEX;
    case kFutexWaitv:
      return DWELL_CALL_FUTEX_WAITV;
    case SYS_rt_sigtimedwait:
      return DWELL_CALL_SIGTIMEDWAIT;
    case SYS_semtimedop:
      return DWELL_CALL_SEMTIMEDOP;
    case SYS_mq_timedsend:
    case SYS_mq_timedreceive:
      return DWELL_CALL_MQ_TIMED;
    case SYS_io_getevents:
    case kIoPgetevents:
      return DWELL_CALL_IO_GETEVENTS;
    case SYS_timerfd_settime:
      return DWELL_CALL_TIMERFD_SETTIME;
    case SYS_timer_settime:
      return DWELL_CALL_TIMER_SETTIME;
    case SYS_setitimer:
      return DWELL_CALL_SETITIMER;
    case SYS_alarm:
      return DWELL_CALL_ALARM;
    case SYS_timerfd_create:
      return DWELL_CALL_TIMERFD_CREATE;
    case SYS_timer_create:
      return DWELL_CALL_TIMER_CREATE;
    case SYS_restart_syscall:
      return DWELL_CALL_RESTART;
    case SYS_settimeofday:
      return DWELL_CALL_SETTIMEOFDAY;
    case SYS_clock_settime:
      return DWELL_CALL_CLOCK_SETTIME;
    case SYS_adjtimex:
      return DWELL_CALL_ADJTIMEX;
    case SYS_clock_adjtime:
      return DWELL_CALL_CLOCK_ADJTIME;
  }
  return DWELL_CALL_NONE;
}

}  // namespace dwell
