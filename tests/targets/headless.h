/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/targets/headless leaks. */
#pragma once

#define BEFORE_BLOCKS 4
#define BEFORE_BYTES 300
#define HEADLESS_BLOCKS 5
#define HEADLESS_BYTES 700
