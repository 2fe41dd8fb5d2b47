/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/targets/descriptors.c does. */
#ifndef DWELL_TESTS_DESCRIPTORS_H
#define DWELL_TESTS_DESCRIPTORS_H

#define DESCRIPTORS_LIMIT 200
#define DESCRIPTORS_LEFT 12

#endif
