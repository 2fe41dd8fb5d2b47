/* SPDX-License-Identifier: Apache-2.0 */
/* What lost_blocks loses. All else that it allocates is held in some way. */
#ifndef DWELL_TESTS_TARGETS_LOST_BLOCKS_H
#define DWELL_TESTS_TARGETS_LOST_BLOCKS_H

#define LB_PLAIN 100      /* of LB_PLAIN_SIZE, one by one */
#define LB_PLAIN_SIZE 100
#define LB_RINGS 50       /* pairs that point to each other */
#define LB_RING_SIZE 72
#define LB_CHAINS 10      /* a head that holds LB_CHAIN_LENGTH more */
#define LB_CHAIN_LENGTH 30
#define LB_CHAIN_SIZE 40
#define LB_LOST (LB_PLAIN + 2 * LB_RINGS + LB_CHAINS * (1 + LB_CHAIN_LENGTH))

#define LB_MOVERS 3
#define LB_OTHER_STACK 65536
#define LB_SIGNAL_STACK 16384
#define LB_SHARED 65536
#define LB_NODES 20000    /* that movers move between lists, without pause */

#endif
