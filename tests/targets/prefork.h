/* SPDX-License-Identifier: Apache-2.0 */
/* What a prefork server of ours does, as its tests know it. */
#ifndef DWELL_TESTS_TARGETS_PREFORK_H
#define DWELL_TESTS_TARGETS_PREFORK_H

#define PREFORK_SESSION_BYTES 3000 /* that a worker keeps for each request */
#define PREFORK_SCRATCH_BYTES 700  /* that it gives back */
#define PREFORK_SHARED_BYTES (4 << 20) /* mapped once, touched by all */

#endif
