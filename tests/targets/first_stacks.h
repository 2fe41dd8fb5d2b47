// SPDX-License-Identifier: Apache-2.0
// first_stacks FOLDER: what allocates in places where the unwinder has no table yet, and in deep recursion.
#ifndef DWELL_TARGETS_FIRST_STACKS_H
#define DWELL_TARGETS_FIRST_STACKS_H
#define IN_HANDLER_BYTES 515
#define IN_RECURSION_BYTES 616
#define RECURSION_DEPTH 3000
#endif
