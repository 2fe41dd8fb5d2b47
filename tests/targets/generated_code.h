/* SPDX-License-Identifier: Apache-2.0 */
/* What generated_code.c does, for the test that expects it. */
#pragma once

#define GENERATED_PIECES 50
#define GENERATED_BYTES 100
