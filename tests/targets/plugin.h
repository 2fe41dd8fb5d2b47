// SPDX-License-Identifier: Apache-2.0
// Four plugins of one layout: each leaks a block of its own size, in a function of its own name.
#ifndef DWELL_TARGETS_PLUGIN_H
#define DWELL_TARGETS_PLUGIN_H
#define PLUGINS(X) X(alpha, 1000) X(beta, 2000) X(gamma, 3000) X(delta, 4000)
#endif
