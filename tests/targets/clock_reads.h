/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of clock_reads.c read: READS(function, clock, times). */
#ifndef DWELL_TESTS_TARGETS_CLOCK_READS_H
#define DWELL_TESTS_TARGETS_CLOCK_READS_H

#define CLOCK_READS(READS)                                  \
  READS(read_realtime, "CLOCK_REALTIME", 300)               \
  READS(read_monotonic, "CLOCK_MONOTONIC", 200)             \
  READS(read_coarse, "CLOCK_REALTIME_COARSE", 100)          \
  READS(read_boottime, "CLOCK_BOOTTIME", 70)                \
  READS(read_cpu_time, "CLOCK_PROCESS_CPUTIME_ID", 60)      \
  READS(read_timespec_get, "CLOCK_REALTIME", 80)            \
  READS(read_by_system_call, "CLOCK_MONOTONIC", 50)         \
  READS(read_ftime, 0, 40)

/* Chosen when the program starts: the vDSO's own functions, where the C library is glibc. */
#define CHOSEN_CLOCK_READS(READS)                           \
  READS(read_timeofday, "CLOCK_REALTIME", 150)              \
  READS(read_time, "CLOCK_REALTIME", 120)

#endif
