/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/targets/descriptors.c does. */
#ifndef DWELL_TESTS_DESCRIPTORS_H
#define DWELL_TESTS_DESCRIPTORS_H

#define DESCRIPTORS_LIMIT 200
#define DESCRIPTORS_LOCKED_FROM \
  5 /* ten bytes of "file", by fcntl; and all behind the hundredth, of the open file, to read */
#define DESCRIPTORS_LEFT 12
#define DESCRIPTORS_DELETED_BYTES 300000
#define DESCRIPTORS_MEMFD_BYTES 8192
#define DESCRIPTORS_EVENT_COUNT 7
#define DESCRIPTORS_BACKLOG 16
#define DESCRIPTORS_UNREAD 5

#endif
