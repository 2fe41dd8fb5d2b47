// SPDX-License-Identifier: Apache-2.0
// What one sampled block stands for.
//
// A block of s bytes is sampled with probability P = 1 - exp(-s / period): at least one point of a Poisson
// process over the bytes falls on it. Weighing it with 1/P makes every sum unbiased (Horvitz-Thompson), and
// the variance of the sum is estimated by adding s^2 (1-P) / P^2 over the sampled blocks.
#pragma once

#include <cstdint>

#include "userspace/memory/tick.h"

namespace dwell {

// A function of (size, period) alone, in integers. Blocks of 0 bytes are sampled like blocks of 1 byte.
Scaled scaled_block(std::uint64_t size, std::uint64_t period);

// Bytes of standard error for a sum whose variances add up to `variance`.
double standard_error(std::uint64_t variance, std::uint64_t period);

}  // namespace dwell
