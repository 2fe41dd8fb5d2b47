// SPDX-License-Identifier: Apache-2.0
int dwell_missing(void);
int main(void) { return dwell_missing(); }
