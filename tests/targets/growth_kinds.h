/* SPDX-License-Identifier: Apache-2.0 */
/* What growth_kinds.c does in each of its ways, as the test expects it. */
#ifndef DWELL_TESTS_TARGETS_GROWTH_KINDS_H
#define DWELL_TESTS_TARGETS_GROWTH_KINDS_H

#define GK_MB (1 << 20)
#define GK_BYTES (24 * GK_MB)       /* by which it grows: mappings, stacks, leaks */
#define GK_CACHE_BLOCKS 40000       /* full before anybody attaches; each is replaced once */
#define GK_CACHE_SIZE 500
#define GK_PASS_THREADS 4           /* of the pass that frees all but one block a thread */
#define GK_PASS_BLOCKS 16000
#define GK_PASS_SIZE 1000

#endif
