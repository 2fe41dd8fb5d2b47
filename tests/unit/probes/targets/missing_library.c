// SPDX-License-Identifier: Apache-2.0
int dwell_missing(void) { return 0; }
