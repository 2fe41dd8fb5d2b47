/* SPDX-License-Identifier: Apache-2.0 */
/* What memory_cases.cpp does in each of its ways, as the test expects it. */
#ifndef DWELL_TESTS_TARGETS_MEMORY_CASES_H
#define DWELL_TESTS_TARGETS_MEMORY_CASES_H

#define MC_REQUESTS 600    /* each third one throws, and leaks MC_RAW bytes */
#define MC_RAW 512
#define MC_ENTRIES 500     /* lost, and cached, of MC_ENTRY bytes each */
#define MC_ENTRY 1000
#define MC_CACHE_ENTRIES 2000
#define MC_CACHE_ROUNDS 20000
#define MC_CLIENTS 400     /* of MC_NAME bytes and more */
#define MC_NAME 300
#define MC_FRAGMENTS 100000 /* of MC_FRAGMENT bytes, of which each fifth stays */
#define MC_FRAGMENT 1000
#define MC_KEPT 300        /* by a program that may hardly call the kernel, of MC_KEEP bytes */
#define MC_KEEP 100

#endif
