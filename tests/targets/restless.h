/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DWELL_TESTS_TARGETS_RESTLESS_H
#define DWELL_TESTS_TARGETS_RESTLESS_H

#define RESTLESS_STATUS 7 /* with which it ends, if nobody has hurt it */
#define RESTLESS_CHILD 5  /* with which its children end */
#define RESTLESS_FAILED 9

#endif /* DWELL_TESTS_TARGETS_RESTLESS_H */
