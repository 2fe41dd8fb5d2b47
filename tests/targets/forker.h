/* SPDX-License-Identifier: Apache-2.0 */
/* What each child of forker.c keeps. */
#ifndef DWELL_TESTS_TARGETS_FORKER_H
#define DWELL_TESTS_TARGETS_FORKER_H

#define FORKER_KEPT 100
#define FORKER_BYTES 100

#endif
