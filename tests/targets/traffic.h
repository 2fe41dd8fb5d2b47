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

/* Of KIND "bursts", which has next to no other traffic beside its temporaries: each TRAFFIC_BURST_EVERY_MS, for TRAFFIC_BURST_MS,
 * so many blocks a millisecond in burst_one(), which are kept. */
#define TRAFFIC_BURST_EVERY_MS 2000
#define TRAFFIC_BURST_MS 80
#define TRAFFIC_BURST_BLOCKS 150
#define TRAFFIC_BURST_BYTES 400

#endif /* DWELL_TESTS_TARGETS_TRAFFIC_H */
