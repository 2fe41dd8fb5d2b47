/* SPDX-License-Identifier: Apache-2.0 */
/* What traffic.c does each millisecond; its test knows the functions by name. */
#ifndef DWELL_TESTS_TARGETS_TRAFFIC_H
#define DWELL_TESTS_TARGETS_TRAFFIC_H

#define TRAFFIC_LEAKS 2            /* blocks of TRAFFIC_LEAK_BYTES, in leak_one() */
#define TRAFFIC_LEAK_BYTES 64
#define TRAFFIC_TEMPORARIES 60     /* of the same size, in make_temporary() */
#define TRAFFIC_SESSION_BYTES 200  /* one, in begin_session(); ended after TRAFFIC_SESSION_MS */
#define TRAFFIC_SESSION_MS 5000
#define TRAFFIC_CACHE_BYTES 96     /* two, in put_into_cache(), in place of others */
#define TRAFFIC_CACHE_ENTRIES 3000

#endif /* DWELL_TESTS_TARGETS_TRAFFIC_H */
